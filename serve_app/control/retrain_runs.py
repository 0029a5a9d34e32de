"""Retrain runs from order to end: one at a time for a domain, none left open for ever.

The store's row is the truth and outlives the cluster; the Ray job is only who works on it. Of a
run that was ordered here Ray's job list says whether it lives: a new cluster does not know it. A
full one, which that cluster may still be training, and one that was started by hand beat, and are
given up when the beat stands still; looks are counted, not time, so that neither a clock that is
moved nor a curator that was away ends it. A full one then goes on as a job of the new cluster.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from operator import itemgetter
from typing import Any, TypeVar

from data.database.schema import RunState, now
from data.datasets.sources import dataset_root, is_trainable
from data.domains.domain import Domain, Mode
from data.domains.run_options import RunOptions
from data.errors import Conflict, NotReady, UnknownName
from data.store.run_rows import RunRow
from data.store.store import Store
from models.registry.registry import CHALLENGER, Registry
from serve_app.control.forgetting import Forgetting
from serve_app.control.ray_jobs import ATTEMPTS, Jobs, JobState, new_run_id
from serve_app.control.triggers import (
    LOOK_BACK,
    Order,
    due_by_count,
    due_by_time,
    is_timed,
    last_began,
    must_have_changed_since,
    next_try,
    not_ended_well,
)
from serve_app.http.answers.answer_bodies import json_fields, run_info

T = TypeVar("T")
LOOKS = 25  # one a second or fewer; a beat comes every two seconds
TEACHING_LOOK_S = 0.1
TRAINABLE_FRESH_S = 60.0


class RetrainRuns:
    def __init__(
        self, store: Store, jobs: Jobs, registry: Registry, forgetting: Forgetting
    ) -> None:
        self._store = store
        self._jobs = jobs
        self._registry = registry
        self._forgetting = forgetting
        self.waits: dict[str, str | None] = {}  # by domain: what a retrain that is due waits for
        self.last: dict[str, RunRow] = {}  # by domain: the run that had ended last at the last look
        self._beats: dict[str, tuple[int, int]] = {}  # by run: the beat, and looks at it
        self.new: dict[str, int] = {}  # by domain: clips to be learnt at the last look
        self._trainable: dict[str, tuple[float, bool]] = {}  # by domain: until when, and whether
        self.under_way: set[str] = set()  # domains of which a run was open when last looked at
        self._ordered: dict[str, asyncio.Event] = defaultdict(asyncio.Event)  # ends a pause
        self._teaching: set[str] = set()  # domains of which a teach was open when last looked at
        self._taught: set[str] = set()  # domains of which one has just ended
        self._starting = asyncio.Lock()

    async def start(
        self, domain: str, order: Order, who: str, options: RunOptions | None = None
    ) -> dict[str, Any]:
        """Raises Conflict while another retrain of the domain is under way, and UnknownName for a
        snapshot that is none of it."""
        async with self._starting:
            await self._must_be_idle(domain)
            run = await asyncio.to_thread(self._start, domain, order, who, options or RunOptions())
            self._ordered[domain].set()
            return json_fields(run_info(run))

    def _start(self, domain: str, order: Order, who: str, options: RunOptions) -> RunRow:
        if options.snapshot:
            known = self._store.snapshots.of(domain, options.snapshot)
            options = options.model_copy(update={"snapshot": known.id})
        mode, reason, trigger = order
        run = self._store.runs.start(
            new_run_id(),
            domain=domain,
            mode=mode,
            reason=reason,
            who=who,
            trigger=trigger,
            options=options.changed(),
        )
        try:
            self._submit(run)
        except Exception as error:
            words = f"the job could not be started ({type(error).__name__})"
            self._close(run.id, "failed", words, who)
            raise
        return run

    async def cancel(self, run_id: str, who: str) -> dict[str, Any]:
        run = await asyncio.to_thread(self._store.runs.get, run_id)
        if run.finished_at is not None:
            raise Conflict(f"run {run_id} is over ({run.state}); there is nothing to cancel")
        await asyncio.to_thread(self._jobs.stop, run_id)  # it may close its row itself
        words = f"cancelled by {who}"
        return json_fields(run_info(await asyncio.to_thread(self._cancelled, run_id, words, who)))

    async def undisturbed(self, domain: str, work: Callable[[], T]) -> T:
        """Work in a thread, while no retrain of the domain is under way nor may begin."""
        async with self._starting:
            await self._must_be_idle(domain)
            return await asyncio.to_thread(work)

    async def _must_be_idle(self, domain: str) -> None:
        busy = await self.open(domain)
        if busy:
            raise Conflict(
                f"{domain} is being retrained already (run {busy[0].id}, {busy[0].state}); "
                "wait for it or cancel it"
            )

    async def open(self, domain: str) -> list[RunRow]:
        return await asyncio.to_thread(self._store.runs.unfinished, domain)

    async def look_after(self, domain: Domain) -> None:
        """Closes the runs that died, and starts the retrain that is due."""
        async with self._starting:  # a run just ordered has a row before it has a job
            runs = await self.open(domain.name)
            if runs:
                self.under_way.add(domain.name)
            else:
                self.under_way.discard(domain.name)
            for run in runs:
                if run.mode == "teach":
                    self._teaching.add(domain.name)
                await asyncio.to_thread(self._mend, run)
        found = await asyncio.to_thread(self._due, domain)
        self.waits[domain.name] = found if isinstance(found, str) else None
        if isinstance(found, tuple):
            await self.start(domain.name, found, "trigger")

    async def pause(self, domain: str, longest_s: float) -> None:
        """Between two looks at a domain; over as soon as a run is ordered, and as a teach promotes
        or ends, for whoever corrected a clip waits until replicas follow, and only then is the
        next teach prepared."""
        if domain in self._taught:
            self._taught.remove(domain)
            await asyncio.to_thread(self._jobs.stand_by)
        until = time.monotonic() + longest_s
        while domain in self._teaching and time.monotonic() < until:
            await asyncio.sleep(TEACHING_LOOK_S)
            with suppress(NotReady):
                runs = await self.open(domain)
                if not runs:
                    self._teaching.remove(domain)
                    self._taught.add(domain)
                if not runs or any(run.is_promoting for run in runs):
                    return
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, until - time.monotonic())):
                await self._ordered[domain].wait()
        self._ordered[domain].clear()

    def _submit(self, run: RunRow, attempt: int = 1) -> None:
        arguments = RunOptions.model_validate(run.options).arguments()
        self._jobs.submit(run.id, run.domain, run.mode, attempt, arguments)

    def _mend(self, run: RunRow) -> None:
        attempt, state = self._jobs.state(run.id)
        run = self._store.runs.get(run.id)
        if run.finished_at is not None or state == "alive":
            return
        if state == "unknown" and run.beat is not None and self._looks(run.id, run.beat) <= LOOKS:
            return
        if run.is_promoting:
            self._complete(run)
        elif not self._resubmitted(run, attempt, state):
            self._close(run.id, "failed", _died_of(run, state), "curator")

    def _resubmitted(self, run: RunRow, attempt: int, state: JobState) -> bool:
        """Of a full one there are ATTEMPTS. Jobs of a new cluster are counted anew, so its events
        tell how many there were."""
        subject, by_hand = f"run:{run.id}", run.trigger == "command"
        attempt = max(attempt, 1 + self._store.events.count(subject, "resubmitted"))
        if run.mode != "full" or by_hand or state == "ended" or attempt >= ATTEMPTS:
            return False
        self._submit(run, attempt + 1)
        self._store.events.add(
            "resubmitted",
            subject=subject,
            who="curator",
            domain=run.domain,
            detail={"attempt": attempt + 1, "job": state},
        )
        return True

    def _looks(self, run_id: str, beat: int) -> int:
        """How often in a row the run had just this beat."""
        before, looks = self._beats.get(run_id, (beat, 0))
        self._beats[run_id] = (beat, looks + 1 if beat == before else 1)
        return self._beats[run_id][1]

    def _complete(self, run: RunRow) -> None:
        """It died between its decision and its end. Its version has not served while it is the
        challenger; afterwards somebody may have moved on, or deleted it, and that stands."""
        assert run.result is not None, f"run {run.id} promotes nothing"
        with suppress(UnknownName):
            version = self._registry.version(run.domain, str(run.result["version"]))
            if CHALLENGER in version.aliases:
                self._registry.promote(run.domain, version.number)
        self._store.runs.update(run.id, state="succeeded", who="curator", result=run.result)

    def _due(self, domain: Domain) -> Order | str | None:
        """What is to be ordered, or in words what that waits for; nothing while a run is open."""
        found = self._store.runs.find(domain.name, limit=LOOK_BACK)
        runs = _in_earnest(found)
        if ended := [(run.finished_at, run) for run in runs if run.finished_at is not None]:
            self.last[domain.name] = max(ended, key=itemgetter(0))[1]
        if any(run.finished_at is None for run in found):
            return None
        if held := self._forgetting.by_champion(domain.name):
            reason = f"the champion remembers what was to be forgotten (clips: {len(held)})"
            waits = _waiting(next_try(not_ended_well(runs)))
            if waits is None:
                return "teach", reason, "forgetting"
            # A full retrain that is due forgets too, and mends what keeps a teach from it.
            full = self._due_by_time(domain, runs, len(held))
            return full if isinstance(full, tuple) else waits
        new = self._new_clips(domain.name, must_have_changed_since(runs))
        if new > self.new.setdefault(domain.name, new):
            self._jobs.stand_by()
        self.new[domain.name] = new
        order = due_by_count(domain.triggers, new)
        if order is None:
            return self._due_by_time(domain, runs, new)
        waits = _waiting(next_try(runs, domain.triggers))
        if waits is None:
            return self._possible(domain, *order)
        full = self._due_by_time(domain, runs, new)  # which no failing teach may put off
        return full if isinstance(full, tuple) else waits

    def _due_by_time(self, domain: Domain, runs: list[RunRow], new: int) -> Order | str | None:
        """By the full trainings, and what has changed since, where there can be one."""
        if not is_timed(domain.triggers):
            return None
        count = self._store.clips.count_new
        if self._is_trainable(domain):
            runs = _in_earnest(self._store.runs.find(domain.name, mode="full", limit=LOOK_BACK))
            count = self._store.clips.count_changed
            # What a later list took back is new, and has not changed since.
            new = max(new, count(domain.name, since=last_began(runs)))
        order = due_by_time(
            domain.triggers,
            clips=new,
            runs=runs,
            now=now(),
            clips_since=lambda since: count(domain.name, since=since),
        )
        if order is None:
            return None
        return _waiting(next_try(runs, domain.triggers)) or self._possible(domain, *order)

    def _is_trainable(self, domain: Domain) -> bool:
        """Listing a data set takes up to 0.2 s, too long for every beat."""
        until, found = self._trainable.get(domain.name, (0.0, False))
        if time.monotonic() >= until:
            found = is_trainable(domain, dataset_root())
            self._trainable[domain.name] = time.monotonic() + TRAINABLE_FRESH_S, found
        return found

    def _new_clips(self, domain: str, since: datetime | None) -> int:
        clips = self._store.clips
        if since is not None and not clips.count_new(domain, since=since):
            return 0
        return clips.count_new(domain)

    def _possible(self, domain: Domain, mode: Mode, reason: str, trigger: str) -> Order | str:
        """Taught where there is no data set, trained where there is no model."""
        can_teach = self._registry.champion(domain.name) is not None
        if mode == "teach" and can_teach:
            return mode, reason, trigger
        if is_trainable(domain, dataset_root()):
            return "full", reason, trigger
        if can_teach:
            return "teach", reason, trigger
        return "there is neither a model to teach nor a data set to train on"

    def _close(self, run_id: str, state: RunState, words: str, who: str) -> RunRow:
        return self._store.runs.update(run_id, state=state, who=who, result={"message": words})

    def _cancelled(self, run_id: str, words: str, who: str) -> RunRow:
        try:
            return self._close(run_id, "cancelled", words, who)
        except Conflict:
            run = self._store.runs.get(run_id)
            if run.finished_at is None:
                raise
            return run  # the job was faster, and had ended


def _in_earnest(runs: list[RunRow]) -> list[RunRow]:
    return [run for run in runs if not run.options.get("dry_run")]


def _waiting(until: datetime | None) -> str | None:
    if until is None or now() >= until:
        return None
    return f"the last run brought no new champion; next try at {until:%Y-%m-%d %H:%M} UTC"


def _died_of(run: RunRow, state: JobState) -> str:
    if state != "unknown":
        return "the job ended without a result; its log says why"
    if run.trigger != "command":
        return "its job ended with the cluster that ran it"
    return "it was started by hand and shows no sign of life any more"
