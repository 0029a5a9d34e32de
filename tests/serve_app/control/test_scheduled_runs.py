"""Retrains that start by themselves, as the curator orders them: nothing is stranded."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from data.domains.domain import Domain
from data.domains.sections import TriggerSpec
from data.errors import Conflict
from data.store.run_rows import RunRow
from serve_app.control import retrain_runs as module
from serve_app.control.forgetting import Forgetting
from support.fakes.fake_jobs import Jobs
from support.inputs.toy_dataset import toy_dataset
from support.teaching import School, school

LATER = timedelta(hours=2)


@pytest.fixture
def keywords(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[School]:
    monkeypatch.setenv("TELLTALE_DATASETS", str(tmp_path / "no data sets"))
    with school(tmp_path / "home") as opened:
        yield opened


def with_triggers(school: School, new_clips: int | None, every_h: float | None) -> Domain:
    triggers = TriggerSpec(new_clips=new_clips, every_h=every_h)
    return school.domain.model_copy(update={"triggers": triggers})


def ordered(school: School, domain: Domain) -> RunRow | None:
    """By the next beat of the curator."""
    runs = school.curated(Jobs())
    asyncio.run(runs.look_after(domain))
    return next(iter(school.store.runs.unfinished(domain.name)), None)


def ended(school: School, run: RunRow | None, state: Any, result: dict[str, object]) -> None:
    assert run is not None
    school.store.runs.update(run.id, state=state, who="job", result=result)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> "Clock":
    return Clock(monkeypatch)


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = timedelta()
        monkeypatch.setattr(module, "now", lambda: datetime.now(UTC) + self.ahead)


def test_a_schedule_teaches_where_there_is_no_data_set(keywords: School) -> None:
    keywords.send()
    run = ordered(keywords, with_triggers(keywords, None, 24))
    assert run is not None
    assert run.mode == "teach"


def test_a_schedule_trains_in_full_where_there_is_one(
    keywords: School, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELLTALE_DATASETS", str(toy_dataset(tmp_path / "data", keywords.domain)))
    keywords.send()
    run = ordered(keywords, with_triggers(keywords, None, 24))
    assert run is not None
    assert run.mode == "full"


@pytest.fixture
def trainable(
    keywords: School, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: "Clock"
) -> School:
    """Two days after a full training, with a data set for another."""
    monkeypatch.setenv("TELLTALE_DATASETS", str(toy_dataset(tmp_path / "data", keywords.domain)))
    keywords.store.runs.start("full", domain="keywords", mode="full", reason="", who="ann")
    keywords.store.runs.update("full", state="succeeded", who="job", result=PROMOTED)
    clock.ahead = timedelta(days=2)
    return keywords


PROMOTED: dict[str, object] = {"version": "1", "promoted": True, "message": "promoted"}
NIGHTLY = TriggerSpec(new_clips=5, every_h=None, schedule="0 3 * * *")
DAILY = TriggerSpec(new_clips=5, every_h=24)


@pytest.mark.parametrize("triggers", [DAILY, NIGHTLY])
def test_teaches_put_off_no_full_training(trainable: School, triggers: TriggerSpec) -> None:
    domain = trainable.domain.model_copy(update={"triggers": triggers})
    assert ordered(trainable, domain) is None  # nothing has changed since the last one
    trainable.send()
    assert trainable.teach("a teach")["promoted"]
    assert trainable.store.clips.count_new("keywords") == 0
    run = ordered(trainable, domain)
    assert run is not None
    assert run.mode == "full"
    ended(trainable, run, "succeeded", PROMOTED)
    assert ordered(trainable, domain) is None


EACH_MINUTE = TriggerSpec(new_clips=1, every_h=None, schedule="* * * * *")


def modes_of_failures(school: School, domain: Domain, clock: Clock, *ahead_s: int) -> list[str]:
    """Each is ordered so many seconds from now, and fails now: "" where none is."""
    found: list[str] = []
    for seconds in ahead_s:
        clock.ahead = timedelta(seconds=seconds)
        run = ordered(school, domain)
        found.append(run.mode if run else "")
        if run is not None:
            ended(school, run, "failed", {})
    return found


def test_teaches_that_fail_put_it_off_no_more_than_others(trainable: School, clock: Clock) -> None:
    domain = trainable.domain.model_copy(update={"triggers": EACH_MINUTE})
    trainable.send()
    assert modes_of_failures(trainable, domain, clock, 0, 61, 100) == ["teach", "teach", "full"]


def test_where_something_is_to_be_forgotten_a_full_training_that_fails_waits_as_well(
    trainable: School, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = trainable.domain.model_copy(update={"triggers": EACH_MINUTE})
    monkeypatch.setattr(Forgetting, "by_champion", lambda self, name: ["a clip"])
    modes = modes_of_failures(trainable, domain, clock, 0, 61, 100, 50)
    assert modes == ["teach", "teach", "full", ""]


def test_a_full_training_takes_what_teaches_hold_back(trainable: School) -> None:
    clip = trainable.send()
    trainable.store.flags.add("keywords", [(clip, "harm", "a teach was refused", 1.0)], who="job")
    assert trainable.store.clips.count_new("keywords") == 0
    run = ordered(trainable, with_triggers(trainable, 1, 24))
    assert run is not None
    assert run.mode == "full"


REFUSED: dict[str, object] = {"version": "2", "promoted": False, "message": "refused"}


def test_a_failed_run_strands_no_clips(keywords: School, clock: Clock) -> None:
    domain = with_triggers(keywords, 2, 24)
    keywords.send(0)
    keywords.send(1)
    ended(keywords, ordered(keywords, domain), "failed", {"message": "a full disk"})
    clock.ahead = LATER
    again = ordered(keywords, domain)
    assert again is not None
    assert "2 clips are new" in again.reason


def test_a_failed_run_is_tried_again_later_each_time(keywords: School, clock: Clock) -> None:
    domain = with_triggers(keywords, 1, None)
    keywords.send()
    for minutes in (1, 2, 4):
        ended(keywords, ordered(keywords, domain), "failed", {"message": "a full disk"})
        clock.ahead = timedelta(minutes=minutes, seconds=-30)
        assert ordered(keywords, domain) is None
        clock.ahead = timedelta(minutes=minutes, seconds=1)
    assert ordered(keywords, domain) is not None


@pytest.mark.parametrize(
    ("state", "result"), [("succeeded", REFUSED), ("cancelled", {"message": "cancelled by ann"})]
)
def test_a_refused_challenger_is_not_tried_again_on_the_same_clips(
    keywords: School, clock: Clock, state: str, result: dict[str, object]
) -> None:
    domain = with_triggers(keywords, 2, 24)
    keywords.send(0)
    keywords.send(1)
    ended(keywords, ordered(keywords, domain), state, result)
    clock.ahead = timedelta(days=2)
    assert ordered(keywords, domain) is None
    keywords.send(2)
    again = ordered(keywords, domain)
    assert again is not None
    assert "3 clips are new" in again.reason


def test_a_failure_behind_a_refusal_does_not_bring_the_same_clips_back(
    keywords: School, clock: Clock
) -> None:
    domain = with_triggers(keywords, 1, None)
    keywords.send()
    ended(keywords, ordered(keywords, domain), "succeeded", REFUSED)
    keywords.store.runs.start("by-hand", domain="keywords", mode="full", reason="", who="ann")
    keywords.store.runs.update("by-hand", state="failed", who="ann", result={"message": "no disk"})
    clock.ahead = LATER
    assert ordered(keywords, domain) is None


def test_what_a_refused_teach_held_back_starts_no_run_even_if_it_is_accepted_again(
    keywords: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.assess.gate import Verdict

    clip, clips = keywords.send(), keywords.store.clips
    refuse = Verdict(False, ("worse",))
    monkeypatch.setattr("training.retrain.compare", lambda *_: refuse)
    assert keywords.teach("r1")["held_back"] == [clip]
    monkeypatch.undo()
    assert clips.get("keywords", clip).state == "quarantined"
    clips.set_state("keywords", clip, "accepted", who="admin")
    keywords.store.flags.dismiss("keywords", clip, who="admin")
    assert clips.count_new("keywords") == 0
    assert keywords.teach("r2")["reasons"] == ["there is nothing new to learn"]
    clips.relabel("keywords", clip, keywords.domain.labels[1], who="admin")
    assert clips.count_new("keywords") == 1


def test_a_domain_without_model_and_data_set_says_what_it_waits_for(
    keywords: School, tmp_path: Path
) -> None:
    keywords.send()
    keywords.registry.client.delete_registered_model_alias("telltale.keywords", "champion")
    runs = keywords.curated(Jobs())
    asyncio.run(runs.look_after(with_triggers(keywords, 1, None)))
    assert keywords.store.runs.find("keywords") == []
    assert "neither a model to teach nor a data set" in str(runs.waits["keywords"])


def test_what_a_trigger_waits_for_is_said(keywords: School, clock: Clock) -> None:
    domain = with_triggers(keywords, 1, None)
    keywords.send()
    runs = keywords.curated(Jobs())
    asyncio.run(runs.look_after(domain))
    (run,) = keywords.store.runs.unfinished("keywords")
    ended(keywords, run, "failed", {"message": "a full disk"})
    asyncio.run(runs.look_after(domain))
    assert "next try at" in str(runs.waits["keywords"])
    clock.ahead = LATER
    asyncio.run(runs.look_after(domain))
    assert runs.waits["keywords"] is None
    with pytest.raises(Conflict):  # it was ordered
        asyncio.run(runs.start("keywords", ("teach", "", "person"), "ann"))


def test_a_clip_that_is_rejected_after_it_was_learnt_counts_until_it_is_unlearnt(
    keywords: School,
) -> None:
    domain = with_triggers(keywords, 1, None)
    wrong, _ = keywords.send(0), keywords.send(1)
    assert keywords.teach("learns")["promoted"]
    assert ordered(keywords, domain) is None
    keywords.store.clips.set_state("keywords", wrong, "rejected", who="ann", reason="noise")
    run = ordered(keywords, domain)
    assert run is not None
    keywords.work_on(run.id)
    assert wrong not in keywords.remembered()
    assert keywords.store.clips.count_new("keywords") == 0
    assert ordered(keywords, domain) is None


def test_a_correction_has_the_teach_that_may_follow_prepared(keywords: School) -> None:
    jobs, domain = Jobs(), with_triggers(keywords, 50, None)
    runs = keywords.curated(jobs)
    asyncio.run(runs.look_after(domain))
    asyncio.run(runs.look_after(domain))
    assert jobs.expected == 0  # nothing is held ready where nobody corrects
    keywords.send()
    asyncio.run(runs.look_after(domain))
    asyncio.run(runs.look_after(domain))
    assert jobs.expected == 1
