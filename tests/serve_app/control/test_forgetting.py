"""A clip that somebody asks us to forget leaves the memory of what serves, by itself."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from data.database.schema import now
from data.domains.domain import load_domains
from data.errors import Conflict
from data.home import home_from_env
from data.store.clips.clip_rows import NewClip
from data.store.events import record
from data.store.run_rows import RunRow
from data.store.store import Store
from models.registry.registry import Registry
from serve_app.control.forgetting import Forgetting
from support.fakes.fake_jobs import Jobs
from support.teaching import School, school
from training.assess.gate import Verdict

PHOTOGRAPHS_TOO = pytest.mark.parametrize("taught", ["keywords", "cracks"], indirect=True)


@pytest.fixture
def taught(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[School]:
    """Version 2 has learnt clips 0 and 1 from people."""
    with school(tmp_path, getattr(request, "param", "keywords")) as opened:
        sent = {opened.send(0), opened.send(1)}
        assert opened.teach("first")["promoted"]
        assert sent <= opened.remembered()
        yield opened


def forget(school: School, number: int) -> str:
    sha256 = school.digest(number)
    school.store.clips.forget(school.domain.name, sha256, who="ann")
    return sha256


def looked_after(school: School, jobs: Jobs) -> list[RunRow]:
    """One beat of the curator; the runs that are open behind it."""
    runs = school.curated(jobs)
    asyncio.run(runs.look_after(school.domain))
    return school.store.runs.unfinished(school.domain.name)


@PHOTOGRAPHS_TOO
def test_what_people_took_back_is_taught_away_by_one_run(taught: School) -> None:
    gone = {forget(taught, 0), forget(taught, 1)}
    jobs = Jobs()
    (run,) = looked_after(taught, jobs)
    assert (run.mode, run.who) == ("teach", "trigger")
    assert [each.id for each in looked_after(taught, jobs)] == [run.id]
    taught.work_on(run.id)
    assert not gone & taught.remembered()
    assert looked_after(taught, jobs) == []


def test_what_came_longer_ago_than_the_domain_keeps_is_forgotten(
    found_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = NewClip(b"a clip", "hearts", "normal", None, "accepted", "test", 1.0, 0)
    kept, _ = found_store.clips.add(clip, who="ann")
    no_registry = cast(Registry, None)  # which takes seconds to open, and is not asked
    forgetting = Forgetting(found_store, no_registry, home_from_env())
    year = load_domains(names=("hearts",))["hearts"].model_copy(update={"retention_days": 365})
    for days, left in ((364, [kept]), (366, [])):
        later = now() + timedelta(days=days)
        with monkeypatch.context() as patch:
            patch.setattr("serve_app.control.forgetting.now", lambda later=later: later)
            forgetting.forget_expired(year.model_copy(update={"retention_days": None}))
            assert found_store.clips.find("hearts") == [kept]
            forgetting.forget_expired(year)
        assert found_store.clips.find("hearts") == left
    assert found_store.clips.forgotten("hearts")[0] == {kept.sha256}


def test_no_exam_refuses_to_forget(taught: School, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.retrain.judge", lambda *_: Verdict(False, ("worse",)))
    gone, new = forget(taught, 0), taught.send(2)
    result = taught.teach("r")
    assert result["promoted"], result
    assert gone not in taught.remembered()
    assert new not in taught.remembered()  # what is new has to pass the gate
    assert taught.store.clips.count_new(taught.domain.name) == 1


@PHOTOGRAPHS_TOO
def test_a_photograph_or_clip_that_is_sent_again_is_not_forgotten(taught: School) -> None:
    forget(taught, 0)
    taught.send(0)
    assert looked_after(taught, Jobs()) == []


@PHOTOGRAPHS_TOO
def test_a_later_teach_does_not_bring_back_what_an_older_version_remembers(taught: School) -> None:
    gone = forget(taught, 0)
    taught.teach("forgets")
    taught.send(2)
    assert taught.teach("learns")["promoted"]
    assert gone not in taught.remembered()
    assert {taught.digest(1), taught.digest(2)} <= taught.remembered()


def test_a_clip_that_was_not_learnt_from_people_is_forgotten_too(taught: School) -> None:
    """The data set had it, somebody sent and took it back: no memory keeps it."""
    first = taught.champion()[1].memory().clip_ids[0]
    with taught.store.clips._database.write() as connection:
        record(
            connection, "clip.forgotten", subject=f"clip:{first}", who="ann",
            domain=taught.domain.name, detail={},
        )  # fmt: skip
    assert len(looked_after(taught, Jobs())) == 1
    taught.teach("forgets")
    assert first not in taught.remembered()


def test_a_forgetting_that_failed_is_tried_again(taught: School) -> None:
    forget(taught, 0)
    (run,) = looked_after(taught, Jobs())
    taught.store.runs.update(run.id, state="failed", who="job", result={"message": "no disk"})
    runs = taught.curated(Jobs())
    asyncio.run(runs.look_after(taught.domain))
    assert taught.store.runs.unfinished() == []
    assert "next try at" in str(runs.waits[taught.domain.name])


def test_an_older_version_made_champion_again_warns_and_is_taught_to_forget(taught: School) -> None:
    gone, name = forget(taught, 0), taught.domain.name
    taught.teach("forgets")
    assert looked_after(taught, Jobs()) == []
    back = taught.registry.rollback(name)
    words = taught.forgetting.warning(name, back.number)
    assert words is not None
    assert "forget" in words
    assert len(looked_after(taught, Jobs())) == 1
    taught.teach("again")
    assert gone not in taught.remembered()
    assert taught.forgetting.warning(name, taught.champion()[0]) is None


def test_whoever_forgets_is_told_every_version_that_holds_the_clip(taught: School) -> None:
    """Version 3 holds it from its parent alone."""
    taught.send(2)
    taught.teach("learns more")
    gone, name = forget(taught, 0), taught.domain.name
    told = taught.forgetting.remembering(name, gone)
    assert told["versions"] == ["2", "3"]
    assert "version 3, which serves" in told["message"]
    taught.teach("forgets")
    told = taught.forgetting.remembering(name, gone)
    assert told["versions"] == ["2", "3"]
    assert "which serves" not in told["message"]
    assert taught.forgetting.remembering(name, "0" * 64)["versions"] == []


def test_a_purge_removes_what_remembers_and_never_the_champion(taught: School) -> None:
    gone, name = forget(taught, 0), taught.domain.name
    old = taught.registry.version(name, "2")
    assert taught.forgetting.purge(name, "ann")["purged"] == []  # it is the champion
    assert taught.forgetting.purged(name) == frozenset()
    taught.teach("forgets")
    for version in taught.registry.versions(name):
        taught.registry.fetch(version, taught.home.bundles)
    assert taught.forgetting.purge(name, "ann", pinned="2")["purged"] == []  # it serves
    assert taught.forgetting.purge(name, "ann") == {"domain": name, "purged": ["2"], "unread": []}
    assert [each.number for each in taught.registry.versions(name)] == ["3", "1"]
    raw = bytes.fromhex(gone)
    left = [file for file in taught.home.root.rglob("*.safetensors") if raw in file.read_bytes()]
    assert left == []
    assert not (taught.home.bundles / old.digest).exists()
    (event,) = taught.store.events.find(subject=f"model:{name}:2")[-1:]
    assert (event.kind, event.who) == ("model.purged", "ann")
    after_a_restart = Forgetting(taught.store, taught.registry, taught.home)
    for forgetting in (taught.forgetting, after_a_restart):
        assert forgetting.purged(name) == {old.digest}, "other machines are to know"
    with pytest.raises(Conflict, match="no previous"):
        taught.registry.rollback(name)


def test_a_purge_that_was_interrupted_is_completed_by_the_next(
    taught: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget(taught, 0)
    taught.teach("forgets")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(taught.registry.client, "delete_model_version", killed)
        with pytest.raises(KeyboardInterrupt):
            taught.forgetting.purge(taught.domain.name, "ann")
    again = School(taught.domain, taught.home, taught.store, taught.registry)
    assert again.forgetting.purge(taught.domain.name, "ann")["purged"] == ["2"]


def test_nothing_is_purged_while_a_retrain_is_under_way(taught: School) -> None:
    taught.order("busy")
    runs = taught.curated(Jobs())
    with pytest.raises(Conflict, match="busy"):
        asyncio.run(runs.undisturbed(taught.domain.name, lambda: None))
