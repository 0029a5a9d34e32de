"""Retrain runs as the curator looks after them: none lost, none buried alive."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from data.domains.domain import load_domains
from data.domains.run_options import RunOptions
from data.errors import Conflict, NotReady, UnknownName
from data.home import home_from_env
from data.store.store import Store
from serve_app.control import retrain_runs as module
from serve_app.control.forgetting import Forgetting
from serve_app.control.ray_jobs import JobState
from serve_app.control.retrain_runs import RetrainRuns
from serve_app.http.answers.answer_bodies import json_fields, last_run
from support.fakes.fake_jobs import Jobs

KEYWORDS = load_domains(names=("keywords",))["keywords"]


class NoRegistry:
    """One without any version."""

    def champion(self, domain: str) -> None:
        return None


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{tmp_path / 'telltale.db'}", str(tmp_path / "blobs"))
    yield store
    store.close()


def run(store: Store, jobs: Jobs, steps: Callable[[RetrainRuns], Awaitable[Any]]) -> Any:
    async def go() -> Any:
        registry: Any = NoRegistry()
        home = home_from_env({"TELLTALE_HOME": "/nowhere"})
        jobs_: Any = jobs
        return await steps(RetrainRuns(store, jobs_, registry, Forgetting(store, registry, home)))

    return asyncio.run(go())


def test_a_run_is_not_buried_between_its_row_and_its_job(store: Store) -> None:
    async def steps(runs: RetrainRuns) -> dict[str, Any]:
        order = asyncio.create_task(runs.start("keywords", ("teach", "", "person"), "ann"))
        for _ in range(20):
            await runs.look_after(KEYWORDS)
            await asyncio.sleep(0.01)
        return await order

    ordered = run(store, Jobs(slow=0.1), steps)
    assert store.runs.get(ordered["id"]).state == "queued"


def test_a_run_keeps_its_options_and_its_job_gets_them(store: Store) -> None:
    jobs, options = Jobs(), RunOptions(epochs=3, dry_run=True)

    async def steps(runs: RetrainRuns) -> dict[str, Any]:
        of_another = RunOptions(snapshot="0" * 64)
        with pytest.raises(UnknownName, match="snapshot"):
            await runs.start("keywords", ("full", "", "person"), "ann", of_another)
        return await runs.start("keywords", ("full", "", "person"), "ann", options)

    ordered = run(store, jobs, steps)
    assert ordered["options"] == {"epochs": 3, "dry_run": True}
    assert ordered["trigger"] == "person"
    assert jobs.options == ["--epochs", "3", "--dry-run"]
    jobs.jobs[ordered["id"]] = (1, "failed")
    jobs.options = []
    run(store, jobs, lambda runs: runs.look_after(KEYWORDS))
    assert jobs.options == ["--epochs", "3", "--dry-run"]


def test_the_job_gets_the_whole_name_of_a_snapshot(store: Store) -> None:
    jobs, taken = Jobs(), store.snapshots.take("keywords", who="ann")
    short = RunOptions(snapshot=taken.id[:12])
    run(store, jobs, lambda runs: runs.start("keywords", ("teach", "", "person"), "ann", short))
    assert jobs.options == ["--snapshot", taken.id]


def test_a_second_order_waits_for_the_first_to_end(store: Store) -> None:
    async def steps(runs: RetrainRuns) -> None:
        first = await runs.start("keywords", ("teach", "", "person"), "ann")
        with pytest.raises(Conflict, match=first["id"]):
            await runs.start("keywords", ("full", "", "person"), "bob")

    run(store, Jobs(), steps)


def test_a_job_that_cannot_be_submitted_leaves_no_open_run(store: Store) -> None:
    class Away(Jobs):
        def submit(self, *order: object) -> None:
            raise NotReady("Ray takes no jobs")

    async def steps(runs: RetrainRuns) -> None:
        with pytest.raises(NotReady):
            await runs.start("keywords", ("teach", "", "person"), "ann")

    run(store, Away(), steps)
    assert [found.state for found in store.runs.find("keywords")] == ["failed"]


@pytest.mark.parametrize(
    ("mode", "states"), [("full", ["queued", "failed"]), ("teach", ["failed", "failed"])]
)
def test_a_full_retrain_whose_driver_died_gets_one_more_attempt(
    store: Store, mode: Any, states: list[str]
) -> None:
    jobs = Jobs()

    async def steps(runs: RetrainRuns) -> list[str]:
        run_id = (await runs.start("keywords", (mode, "", "person"), "ann"))["id"]
        seen: list[str] = []
        for attempt in (1, 2):
            jobs.jobs[run_id] = (attempt, "failed")
            await runs.look_after(KEYWORDS)
            seen.append(store.runs.get(run_id).state)
        return seen

    assert run(store, jobs, steps) == states


def test_a_full_retrain_of_a_cluster_that_is_gone_goes_on_in_the_next(store: Store) -> None:
    first, second, third = Jobs(), Jobs(), Jobs()  # each of a new cluster: an empty list
    ordered = run(store, first, lambda runs: runs.start("keywords", ("full", "", "person"), "ann"))
    run_id = ordered["id"]
    store.runs.update(run_id, state="running", who="job")

    async def until_it_is_mended(runs: RetrainRuns, jobs: Jobs) -> None:
        for _ in range(module.LOOKS):
            store.runs.beat(run_id)  # the cluster is not gone yet
            await runs.look_after(KEYWORDS)
        for _ in range(module.LOOKS - 1):
            await runs.look_after(KEYWORDS)
        assert store.runs.get(run_id).state == "running"
        assert jobs.jobs == {}
        await runs.look_after(KEYWORDS)

    run(store, second, lambda runs: until_it_is_mended(runs, second))
    assert second.jobs == {run_id: (2, "alive")}
    assert store.runs.get(run_id).state == "running"
    assert store.events.count(f"run:{run_id}", "resubmitted") == 1
    run(store, third, lambda runs: until_it_is_mended(runs, third))  # it had its attempts
    assert not third.jobs
    ended = store.runs.get(run_id)
    assert ended.state == "failed"
    assert "cluster" in str(ended.result)


def test_a_teach_of_a_cluster_that_is_gone_is_closed_at_once(store: Store) -> None:
    ordered = run(
        store, Jobs(), lambda runs: runs.start("keywords", ("teach", "", "person"), "ann")
    )
    store.runs.update(ordered["id"], state="running", who="job")
    run(store, Jobs(), lambda runs: runs.look_after(KEYWORDS))  # of a new cluster: an empty list
    ended = store.runs.get(ordered["id"])
    assert ended.state == "failed"
    assert "cluster" in str(ended.result)


def test_a_run_that_never_got_its_job_is_closed_by_the_next_curator(store: Store) -> None:
    store.runs.start("half", domain="keywords", mode="teach", reason="", who="ann")
    run(store, Jobs(), lambda runs: runs.look_after(KEYWORDS))
    assert store.runs.get("half").state == "failed"


def test_a_run_started_by_hand_is_left_alone_while_it_shows_life(store: Store) -> None:
    store.runs.start(
        "by-hand", domain="keywords", mode="full", reason="", who="ann", trigger="command"
    )

    async def steps(runs: RetrainRuns) -> None:
        for look in range(3 * module.LOOKS):
            if look % module.LOOKS == 0:
                store.runs.beat("by-hand")
            await runs.look_after(KEYWORDS)
            assert store.runs.get("by-hand").state == "queued"
        await runs.look_after(KEYWORDS)

    run(store, Jobs(), steps)
    ended = store.runs.get("by-hand")
    assert ended.state == "failed"
    assert "no sign of life" in str(ended.result)


def test_what_ran_last_and_why_is_known_when_it_is_over(store: Store) -> None:
    def end(run_id: str, trigger: str, **options: object) -> None:
        store.runs.start(
            run_id,
            domain="keywords",
            mode="teach",
            reason="5 clips are new",
            who="ann",
            trigger=trigger,
            options=options,
        )
        store.runs.update(run_id, state="succeeded", who="job", result={"version": "2"})

    async def steps(runs: RetrainRuns) -> None:
        await runs.look_after(KEYWORDS)
        assert "keywords" not in runs.last
        end("r1", "new_clips")
        end("r2", "person", dry_run=True)
        await runs.start("keywords", ("teach", "", "person"), "ann")
        await runs.look_after(KEYWORDS)
        told = json_fields(last_run(runs.last["keywords"]))
        assert told.pop("finished")
        assert told == {
            "id": "r1",
            "mode": "teach",
            "trigger": "new_clips",
            "reason": "5 clips are new",
            "state": "succeeded",
        }

    run(store, Jobs(), steps)


def test_a_hiccup_of_the_job_list_closes_nothing(store: Store) -> None:
    class Hiccup(Jobs):
        def state(self, run_id: str) -> tuple[int, JobState]:
            raise NotReady("Ray's job list cannot be read")

    async def steps(runs: RetrainRuns) -> None:
        await runs.start("keywords", ("teach", "", "person"), "ann")
        with pytest.raises(NotReady):
            await runs.look_after(KEYWORDS)

    run(store, Hiccup(), steps)
    assert [found.state for found in store.runs.find("keywords")] == ["queued"]


def test_a_domain_is_looked_at_as_soon_as_a_run_of_it_is_ordered(store: Store) -> None:
    async def steps(runs: RetrainRuns) -> None:
        async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
            tasks.create_task(runs.pause("keywords", 60.0))
            await asyncio.sleep(0.1)
            tasks.create_task(runs.start("keywords", ("teach", "", "person"), "ann"))

    run(store, Jobs(), steps)


def test_a_domain_is_looked_at_as_soon_as_its_teach_promotes_or_ends(store: Store) -> None:
    async def steps(runs: RetrainRuns) -> list[float]:
        taken = []

        async def pause() -> None:
            since = time.monotonic()
            await runs.pause("keywords", 1.0)
            taken.append(time.monotonic() - since)

        await pause()
        run_id = (await runs.start("keywords", ("teach", "", "person"), "ann"))["id"]
        await runs.look_after(KEYWORDS)
        await pause()
        store.runs.promoting(run_id, {"version": "2"})
        await pause()
        store.runs.update(run_id, state="succeeded", who="job", result={"version": "2"})
        await pause()  # it may have ended between two looks
        await pause()
        return taken

    jobs = Jobs()
    idle, under_way, promoting, ended, idle_again = run(store, jobs, steps)
    assert jobs.expected == 1  # the next one, once replicas had time to follow
    assert min(idle, under_way, idle_again) >= 1.0
    assert max(promoting, ended) < 0.5
