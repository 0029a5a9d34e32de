"""Retrain runs from order to end: one at a time for a domain, none left open for ever.

The store's row is the truth and outlives the cluster; the Ray job is only who works on it.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from data.domain import Domain, Mode
from data.errors import Conflict
from data.runs import Run
from data.store import Store
from data.tables import RunState
from serve_app.jobs import ATTEMPTS, Jobs, new_run_id
from serve_app.schemas import run_facts
from serve_app.triggers import due

GIVEN_UP = timedelta(minutes=15)


class Runs:
    def __init__(self, store: Store, jobs: Jobs) -> None:
        self._store = store
        self._jobs = jobs
        self._starting = asyncio.Lock()

    async def start(self, domain: str, mode: Mode, reason: str, who: str) -> dict[str, Any]:
        """Raises Conflict while another retrain of the domain is under way."""
        async with self._starting:
            busy = await self.open(domain)
            if busy:
                raise Conflict(
                    f"{domain} is being retrained already (run {busy[0].id}, {busy[0].state}); "
                    "wait for it or cancel it"
                )
            return run_facts(await asyncio.to_thread(self._start, domain, mode, reason, who))

    def _start(self, domain: str, mode: Mode, reason: str, who: str) -> Run:
        run_id = new_run_id()
        run = self._store.runs.start(run_id, domain=domain, mode=mode, reason=reason, who=who)
        try:
            self._jobs.submit(run.id, domain, mode)
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
        return run_facts(await asyncio.to_thread(self._cancelled, run_id, words, who))

    async def open(self, domain: str) -> list[Run]:
        return await asyncio.to_thread(self._store.runs.unfinished, domain)

    async def look_after(self, domain: Domain) -> None:
        """Closes the runs that died, and starts the retrain that is due."""
        async with self._starting:  # a run just ordered has a row before it has a job
            for run in await self.open(domain.name):
                await asyncio.to_thread(self._mend, run)
        order = await asyncio.to_thread(self._due, domain)
        if order is not None and not await self.open(domain.name):
            await self.start(domain.name, *order, "trigger")

    def _mend(self, run: Run) -> None:
        attempt, state = self._jobs.state(run.id)
        if state == "alive" or self._store.runs.get(run.id).finished_at is not None:
            return
        if state == "failed" and run.mode == "full" and attempt < ATTEMPTS:
            self._jobs.submit(run.id, run.domain, run.mode, attempt + 1)
        elif state != "unknown":
            self._close(
                run.id, "failed", "the job ended without a result; its log says why", "curator"
            )
        elif self._silent_for(run) > GIVEN_UP:
            words = "no sign of life for a quarter of an hour, and no job of this cluster"
            self._close(run.id, "failed", words, "curator")

    def _silent_for(self, run: Run) -> timedelta:
        """Of a run started by hand nothing is known but what it says."""
        events = self._store.events.find(subject=f"run:{run.id}", limit=10_000)
        return datetime.now(UTC) - max((event.at for event in events), default=run.created_at)

    def _due(self, domain: Domain) -> tuple[Mode, str] | None:
        last = next(iter(self._store.runs.find(domain.name, limit=1)), None)
        began = None if last is None else last.created_at
        new = self._store.clips.count_new(domain.name, since=began)
        return due(domain.triggers, new_clips=new, last_run=began, now=datetime.now(UTC))

    def _close(self, run_id: str, state: RunState, words: str, who: str) -> Run:
        return self._store.runs.update(run_id, state=state, who=who, result={"message": words})

    def _cancelled(self, run_id: str, words: str, who: str) -> Run:
        try:
            return self._close(run_id, "cancelled", words, who)
        except Conflict:  # the job was faster, and had ended
            return self._store.runs.get(run_id)
