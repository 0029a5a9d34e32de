"""However and whenever a run dies, its row and the registry come to say the same."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from data.errors import Conflict
from models.registry.registry import Registry
from support.fakes.fake_jobs import Jobs
from support.teaching import School, school
from training import retrain as retrain_module
from training.job import run_progress as progress_module
from training.job.lifecycle import attempt
from training.job.run import RetrainRun
from training.job.run_progress import beating
from training.retrain import retrain


class Killed(BaseException):
    """What SIGKILL leaves: nothing of ours runs any more."""


@pytest.fixture
def keywords(tmp_path: Path) -> Iterator[School]:
    with school(tmp_path) as opened:
        yield opened


def killed_after(step: str, run: RetrainRun, monkeypatch: pytest.MonkeyPatch) -> None:
    owner: Any = {"promoting": run.store.runs, "promote": Registry}.get(step, retrain_module)
    real = getattr(owner, step)

    def kill(*arguments: Any, **named: Any) -> None:
        real(*arguments, **named)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(owner, step, kill)
        with pytest.raises(Killed):
            retrain(run, "teach", None, True)


def looked_after(school: School, jobs: Jobs) -> None:
    runs = school.curated(jobs)
    asyncio.run(runs.look_after(school.domain))


@pytest.mark.parametrize("cluster", ["the same", "another"])
@pytest.mark.parametrize(
    ("step", "state"),
    [
        ("admit", "failed"),
        ("promoting", "succeeded"),
        ("promote", "succeeded"),
        ("update_receipts", "succeeded"),
    ],
)
def test_a_run_killed_at_any_step_has_promoted_if_and_only_if_it_succeeded(
    keywords: School, monkeypatch: pytest.MonkeyPatch, step: str, state: str, cluster: str
) -> None:
    keywords.send()
    killed_after(step, keywords.order("r1"), monkeypatch)
    jobs = Jobs()
    if cluster == "the same":
        jobs.jobs["r1"] = (1, "failed")
    looked_after(keywords, jobs)
    ended, (champion, _) = keywords.store.runs.get("r1"), keywords.champion()
    assert ended.state == state
    assert champion == ("2" if state == "succeeded" else "1")
    if state == "succeeded":
        assert ended.result is not None
        assert (ended.result["version"], ended.result["promoted"]) == ("2", True)


def test_a_run_that_died_half_way_through_a_promotion_is_completed(
    keywords: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    keywords.send()
    run = keywords.order("r1")
    with monkeypatch.context() as patch:
        move = Registry._move

        def previous_only(registry: Registry, alias: str, version: Any) -> None:
            move(registry, alias, version)
            raise Killed

        patch.setattr(Registry, "_move", previous_only)
        with pytest.raises(Killed):
            retrain(run, "teach", None, True)
    looked_after(keywords, Jobs())
    assert (keywords.champion()[0], keywords.store.runs.get("r1").state) == ("2", "succeeded")


def test_whoever_rolled_back_behind_a_run_that_died_is_not_overruled(
    keywords: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    keywords.send()
    killed_after("promote", keywords.order("r1"), monkeypatch)
    keywords.registry.rollback("keywords")
    looked_after(keywords, Jobs())
    assert (keywords.champion()[0], keywords.store.runs.get("r1").state) == ("1", "succeeded")


def test_a_run_that_was_given_up_and_comes_back_promotes_nothing(keywords: School) -> None:
    keywords.send()
    run = keywords.order("r1")
    keywords.store.runs.update("r1", state="failed", who="curator", result={"message": "silent"})
    assert attempt(run.progress, run.home, lambda: retrain(run, "teach", None, True)) == 1
    assert keywords.champion()[0] == "1"
    assert keywords.store.runs.get("r1").result == {"message": "silent"}


def test_a_run_that_promotes_cannot_be_cancelled(
    keywords: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    keywords.send()
    killed_after("promoting", keywords.order("r1"), monkeypatch)
    runs = keywords.curated(Jobs())
    with pytest.raises(Conflict, match="roll back"):
        asyncio.run(runs.cancel("r1", "ann"))
    looked_after(keywords, Jobs())
    assert keywords.store.runs.get("r1").state == "succeeded"


def test_a_run_started_by_hand_beats_while_it_works(
    keywords: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_module, "BEAT_S", 0.01)
    run = keywords.order("r1", trigger="command")
    with beating(run.progress):
        deadline = time.monotonic() + 30
        while (keywords.store.runs.get("r1").beat or 0) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_run_whose_version_somebody_deleted_does_not_stay_open(
    keywords: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    keywords.send()
    killed_after("promoting", keywords.order("r1"), monkeypatch)
    keywords.registry.remove(keywords.registry.version("keywords", "2"), keywords.home.bundles)
    looked_after(keywords, Jobs())
    assert keywords.store.runs.unfinished("keywords") == []
