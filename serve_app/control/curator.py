"""The control plane: one replica that knows the champions, runs the jobs and tells the replicas.

Level-triggered: every second (every three while nothing happens), and when a teach promotes, it
compares what is (the registry's alias, what each replica serves, how the jobs stand) with what
should be, and mends the difference. A missed message, a replica born in the middle of a swap or its
own restart therefore need no special case. The data plane never waits for it.
"""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from ray import serve

from data.database.sqlite_files import checkpoint
from data.domains.domain import Domain, Mode, load_domains
from data.domains.run_options import RunOptions
from data.errors import TelltaleError
from data.store.store import Store
from models.registry.opened import open_registry
from serve_app.client.past_answers import Window
from serve_app.client.service_answers import ReplicaInfo
from serve_app.cluster.quota_refusals import QuotaRefusals
from serve_app.cluster.ray_internals.environment import haproxy_socket
from serve_app.cluster.ray_internals.inner_port import must_be_closed
from serve_app.cluster.ray_internals.quiet_handles import keep_quiet
from serve_app.cluster.service_processes import scratch_path
from serve_app.cluster.standby import keep_spares
from serve_app.control.abandoned_jobs import AbandonedJobs
from serve_app.control.forgetting import Forgetting
from serve_app.control.gauges import of_domain, of_host
from serve_app.control.history import History
from serve_app.control.outcomes import Outcomes
from serve_app.control.promotion import Promotion
from serve_app.control.ray_jobs import Jobs
from serve_app.control.retrain_runs import RetrainRuns
from serve_app.control.webhook import Webhook
from serve_app.http.answers.answer_bodies import json_fields, last_run, model_version, run_info
from serve_app.replica.champion_pointer import Pointer
from serve_app.replica.series import key
from serve_app.settings import DEPLOYMENT, settings_from_env
from serve_app.statuses import in_words

log = logging.getLogger("ray.serve")

BEAT_S = 1.0
QUIET_BEAT_S = 3.0  # of a domain of which nothing has changed since the last
STATES_PATIENCE_S = 1.0
STATES_FRESH_S = 0.5  # each look costs Serve's controller 10 ms or more
SWEEP_EVERY_S = 3600.0  # for what killed uploads left behind
OUTCOMES_EVERY_S = 2.0
TELL_S = 2.0  # for a replica to hear that recordings wait
CHECKPOINT_EVERY_S = 300.0  # so that a copy of the home holds all but the last minutes


class Curator:
    async def __init__(  # type: ignore[misc]  # Serve awaits it
        self, spares: int, applications: Mapping[str, str]
    ) -> None:
        """`applications` name the one whose replicas serve a domain that has none of its own."""
        must_be_closed()
        keep_quiet()
        settings = settings_from_env()
        self._home = settings.home
        self._domains: dict[str, Domain] = load_domains(names=settings.domains)
        self._store, jobs, registry = await asyncio.gather(
            asyncio.to_thread(Store.open, settings.home.database_url, settings.home.storage_uri),
            asyncio.to_thread(Jobs, scratch_path(settings.home.root)),
            asyncio.to_thread(open_registry, settings.home, settings.domains, settings.pinned),
        )
        self._forgetting = Forgetting(self._store, registry, settings.home)
        self._runs = RetrainRuns(self._store, jobs, registry, self._forgetting)
        self._applications = {name: applications.get(name, name) for name in self._domains}
        self._handles = {
            name: serve.get_deployment_handle(DEPLOYMENT, application)
            for name, application in self._applications.items()
        }
        self._successions = {
            name: Promotion(
                name,
                settings.home,
                registry,
                handle,
                settings.pinned.get(name),
                partial(self._forgetting.purged, name),
            )
            for name, handle in self._handles.items()
        }
        self._abandoned = AbandonedJobs(self._store)
        url, secret = settings.webhook_url, settings.webhook_secret
        self._outcomes = await asyncio.to_thread(
            Outcomes, self._store, self._domains, Webhook(url, secret) if url else None
        )
        self._histories = {name: History() for name in self._domains}
        self._quotas = QuotaRefusals(haproxy_socket())
        self._errors: dict[str, dict[str, str]] = {name: {} for name in self._domains}
        self._states: dict[str, dict[str, int]] = {}
        self._states_until = 0.0
        self._one_look = ThreadPoolExecutor(1, "states")  # a controller that hangs holds up no more
        self._tasks = [asyncio.create_task(self._beat(d)) for d in self._domains.values()]
        self._tasks.append(asyncio.create_task(self._sweep()))
        self._tasks.append(asyncio.create_task(self._checkpoint(settings.home.sqlite_files)))
        self._tasks.append(asyncio.create_task(self._look_at_outcomes()))
        self._tasks.append(asyncio.create_task(keep_spares(spares)))

    # -- what replicas ask -------------------------------------------------------------------

    def pointer(self, domain: str) -> Pointer | None:
        return self._successions[domain].pointer()

    async def fetch(self, domain: str, digest: str) -> dict[str, bytes]:
        return await self._successions[domain].fetch(digest)

    def history(self, domain: str, window: Window) -> list[dict[str, Any]]:
        return self._histories[domain].points(window)

    async def metrics(self) -> dict[str, Any]:
        """The samples of all series, and the traffic of each domain."""
        now, samples = time.time(), await asyncio.to_thread(of_host, self._home)
        for name, history in self._histories.items():
            succession = self._successions[name]
            samples |= history.counted
            failed = key("telltale_swap_failures_total", domain=name)
            samples[failed] = samples.get(failed, 0) + succession.failures
            samples |= of_domain(name, succession.champion is not None, succession.replicas)
        samples |= {**self._outcomes.retrains, **self._outcomes.quarantined, **self._quotas.counted}
        traffic = {name: history.lately(now) for name, history in self._histories.items()}
        return {"samples": samples, "traffic": traffic}

    # -- what the admin asks -----------------------------------------------------------------

    async def versions(self, domain: str) -> list[dict[str, Any]]:
        found = await asyncio.to_thread(self._successions[domain].registry.versions, domain)
        return [json_fields(model_version(version)) for version in found]

    async def promote(self, domain: str, number: str, who: str) -> dict[str, Any]:
        moved = await self._successions[domain].promote(number)
        return await self._recorded("promoted", moved, who)

    async def rollback(self, domain: str, who: str) -> dict[str, Any]:
        moved = await self._successions[domain].rollback()
        return await self._recorded("rolled_back", moved, who)

    async def _recorded(self, kind: str, moved: dict[str, Any], who: str) -> dict[str, Any]:
        await asyncio.to_thread(
            self._store.events.add,
            kind,
            subject=f"model:{moved['domain']}:{moved['version']}",
            who=who,
            domain=moved["domain"],
            detail={"digest": moved["digest"]},
        )
        warning = self._forgetting.warning
        words = await asyncio.to_thread(warning, moved["domain"], moved["version"])
        return {**moved, "warning": words}

    async def remembering(self, domain: str, sha256: str) -> dict[str, Any]:
        return await asyncio.to_thread(self._forgetting.remembering, domain, sha256)

    async def purge(self, domain: str, who: str) -> dict[str, Any]:
        """Raises Conflict while a retrain is under way: its version may be among them."""
        pinned = self._successions[domain].pinned
        return await self._runs.undisturbed(
            domain, lambda: self._forgetting.purge(domain, who, pinned)
        )

    async def start_run(
        self, domain: str, mode: Mode, reason: str, who: str, options: dict[str, Any]
    ) -> dict[str, Any]:
        given = RunOptions.model_validate(options)
        return await self._runs.start(domain, (mode, reason, "person"), who, given)

    async def cancel_run(self, run_id: str, who: str) -> dict[str, Any]:
        return await self._runs.cancel(run_id, who)

    async def status(self) -> dict[str, Any]:
        """What is known at once, also while the database or the registry is away."""
        rows = await asyncio.gather(*(self._domain_status(name) for name in self._domains))
        states = await self._fresh_states()
        for name, row in zip(self._domains, rows, strict=True):
            row["states"] = states.get(self._applications[name], {})
        return {"domains": dict(zip(self._domains, rows, strict=True)), "curator_pid": os.getpid()}

    async def _fresh_states(self) -> dict[str, dict[str, int]]:
        """Nothing while Serve's controller is away; the rest of the status is known here."""
        if time.monotonic() >= self._states_until:
            self._states_until = time.monotonic() + STATES_FRESH_S
            look = asyncio.get_running_loop().run_in_executor(self._one_look, replica_states)
            try:
                self._states = await asyncio.wait_for(look, STATES_PATIENCE_S)
            except Exception:
                log.warning("Serve does not say how its replicas stand", exc_info=True)
                self._states = {}
        return self._states

    async def _domain_status(self, name: str) -> dict[str, Any]:
        succession = self._successions[name]
        champion = succession.champion
        errors, last = dict(self._errors[name]), self._runs.last.get(name)
        try:
            kept = await asyncio.to_thread(self._kept, name)
        except TelltaleError as error:
            kept = {"clips": {}, "running": []}
            errors["store"] = in_words(error)
        return {
            "title": self._domains[name].title,
            "champion": None if champion is None else json_fields(model_version(champion)),
            "pinned": succession.pinned is not None,
            "serves_since": succession.since,
            "error": "; ".join(errors.values()) or None,
            "replicas": [
                json_fields(ReplicaInfo.model_validate(row)) for row in succession.replicas
            ],
            "agree": succession.agree,
            "waits": self._runs.waits.get(name),
            "last_run": None if last is None else json_fields(last_run(last)),
            **kept,
        }

    def _kept(self, name: str) -> dict[str, Any]:
        clips = self._store.clips
        counts = {str(state): number for state, number in clips.counts(name).items()}
        running = self._store.runs.unfinished(name)
        return {
            "clips": counts | {"new": clips.count_new(name)},
            "running": [json_fields(run_info(run)) for run in running],
        }

    # -- the beat ----------------------------------------------------------------------------

    async def _beat(self, domain: Domain) -> None:
        """One for each domain: one that is stuck does not hold up the others."""
        before: tuple[object, ...] | None = None
        while True:
            await self._attempt(domain.name, "champion", self._successions[domain.name].reconcile())
            await self._attempt(domain.name, "history", self._note(domain.name))
            await self._attempt(domain.name, "runs", self._runs.look_after(domain))
            now = self._seen(domain.name)
            await self._runs.pause(domain.name, QUIET_BEAT_S if now and now == before else BEAT_S)
            before = now

    def _seen(self, name: str) -> tuple[object, ...] | None:
        """What the last beat found: the same again while nobody asks, corrects or trains anything,
        and None, which is never that, of a run that is under way."""
        runs, succession = self._runs, self._successions[name]
        if name in runs.under_way:
            return None
        rows = {(row["replica"], row["digest"], row["answered"]) for row in succession.replicas}
        errors = dict(self._errors[name])
        return (succession.champion, rows, runs.new.get(name), runs.waits.get(name), errors)

    async def _note(self, name: str) -> None:
        self._histories[name].note(self._successions[name].replicas, time.time())

    async def _sweep(self) -> None:
        while True:
            first = next(iter(self._domains))
            await self._attempt(first, "kept", asyncio.to_thread(self._store.predictions.purge))
            await self._attempt(first, "sweep", asyncio.to_thread(self._store.clips.sweep))
            await self._attempt(first, "jobs", asyncio.to_thread(self._store.jobs.purge))
            await self._attempt(first, "uploads", asyncio.to_thread(self._store.uploads.purge))
            for name, domain in self._domains.items():
                work = asyncio.to_thread(self._forgetting.forget_expired, domain)
                await self._attempt(name, "retention", work)
            await asyncio.sleep(SWEEP_EVERY_S)

    async def _look_at_outcomes(self) -> None:
        first = next(iter(self._domains))
        while True:
            await self._attempt(first, "outcomes", asyncio.to_thread(self._outcomes.look))
            await self._attempt(first, "quotas", asyncio.to_thread(self._quotas.look))
            await self._attempt(first, "recordings", self._look_after_recordings())
            await asyncio.sleep(OUTCOMES_EVERY_S)

    async def _look_after_recordings(self) -> None:
        """Some replica of a domain whose recordings wait is told; a busy one leaves them."""
        for name in await asyncio.to_thread(self._abandoned.waiting) & self._handles.keys():
            async with asyncio.timeout(TELL_S):
                await self._handles[name].look_for_jobs.remote(name)

    async def _checkpoint(self, databases: list[Path]) -> None:
        first = next(iter(self._domains))
        while True:
            await asyncio.sleep(CHECKPOINT_EVERY_S)
            for path in databases:
                what = f"checkpoint of {path.name}"
                await self._attempt(first, what, asyncio.to_thread(checkpoint, path))

    async def _attempt(self, name: str, what: str, work: Awaitable[object]) -> None:
        """Never raises: what is wrong shows in /status, and is tried again at the next beat."""
        try:
            await work
        except Exception as error:
            words = in_words(error)
            if self._errors[name].get(what) != words:
                log.exception("the curator could not look after the %s of %s", what, name)
            self._errors[name][what] = words
        else:
            self._errors[name].pop(what, None)


def replica_states() -> dict[str, dict[str, int]]:
    """Application -> how many replicas are starting, running or stopping, in Serve's own words."""
    return {
        name: dict(app.deployments[DEPLOYMENT].replica_states)
        for name, app in serve.status().applications.items()
        if DEPLOYMENT in app.deployments
    }
