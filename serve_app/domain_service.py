"""`DomainService`: what a replica has of one domain, its model and the thread that answers clips.

The event loop reads requests and writes answers; one thread beside it turns whatever waits from
bytes into scores, each batch on one version. A clip that cannot be decoded fails alone.
"""

import asyncio
import logging
import os
import resource
import time
from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import ray
from ray import serve
from ray.serve.handle import DeploymentHandle

from data.domains.domain import Domain, load_domains
from data.errors import NotReady
from models.bundle import Bundle
from serve_app.replica.admission import Admission
from serve_app.replica.batcher import Batcher
from serve_app.replica.champion import Champion
from serve_app.replica.champion_pointer import Pointer
from serve_app.replica.other_versions import OtherVersions
from serve_app.replica.prediction_log import PredictionLog
from serve_app.replica.replica_metrics import Metrics
from serve_app.replica.scoring import Item, ScoredClip, ScoredOrError, answer_batch
from serve_app.replica.series import Key, key
from serve_app.settings import DEPLOYMENT, settings_from_env
from serve_app.statuses import in_words

if TYPE_CHECKING:
    from data.store.store import Store
    from serve_app.http.job_runner import JobRunner

log = logging.getLogger("ray.serve")

CURATOR_PATIENCE_S = 0.5  # where there is another answer: a pointer on disk, what it told before
CURATOR_TIMEOUT_S = 40.0  # a promotion waits until every replica has swapped
MAX_WAIT_S = 0.5  # in a replica's queue, before a clip is told to come back


class DomainService:
    def __init__(self, name: str) -> None:
        # Those that share the process, this one among them. Its CPU and memory are told by the
        # first alone, for what all tell is summed.
        self.beside: Mapping[str, DomainService] = {name: self}
        self.domain: Domain = load_domains(names=(name,))[name]
        self.settings = settings_from_env()
        self.started = time.time()
        self.node = ray.get_runtime_context().get_node_id()[:8]
        self.metrics = Metrics(name)
        self.champion = Champion(name, self.settings.home)
        self.curator = serve.get_deployment_handle("Curator", app_name="curator")
        serving = self.domain.serving
        self.admission = Admission(MAX_WAIT_S, fewest=2 * serving.max_batch_size)
        self._batcher: Batcher[Item, ScoredClip] = Batcher(
            self.answer_batch,
            serving.max_batch_size,
            serving.batch_wait_s,
            self.admission.measured,
        )
        self._others = OtherVersions(name, self.settings.home, self._digests, self._fetch)
        keep = self.domain.keep
        self.prediction_log = (
            PredictionLog(keep, lambda: self.store, self.metrics.kept) if keep else None
        )
        self._peers: dict[str, DeploymentHandle] = {}

    async def start(self) -> None:
        """Call before it is asked anything: with the model that the domain has now. Raises what
        keeps it from that, but beside other domains, which serve all the same."""
        try:
            await self.champion.start(await self._ask_pointer(), self._fetch)
        except Exception as error:
            if len(self.beside) == 1:
                raise
            self.champion.load_error = self.champion.load_error or in_words(error)
            log.exception("%s has no model", self.domain.name)
        self._announce()

    @property
    def store(self) -> "Store":
        """Opened by the first upload or correction; a replica that only predicts has no SQL."""
        return store_of_process(self.settings.home.database_url, self.settings.home.storage_uri)

    @cached_property
    def jobs(self) -> "JobRunner":
        from serve_app.http.job_runner import JobRunner

        return JobRunner(self)

    async def look_for_jobs(self) -> None:
        """Called when the curator sees recordings that nobody analyses."""
        self.jobs.look()

    @property
    def busy(self) -> bool:
        """Whether clips wait in this process, of whatever domain."""
        return any(service.admission.busy for service in self.beside.values())

    def peer(self, domain: str) -> DeploymentHandle:
        """The replicas of a domain in other processes; a handle is made once, since each keeps a
        router."""
        if domain not in self._peers:
            self._peers[domain] = serve.get_deployment_handle(DEPLOYMENT, app_name=domain)
        return self._peers[domain]

    async def ask_curator(self, method: str, *arguments: Any) -> Any:
        """Raises NotReady where the curator is away; what it refuses comes through as it is."""
        try:
            async with asyncio.timeout(CURATOR_TIMEOUT_S):
                return await getattr(self.curator, method).remote(*arguments)
        except TimeoutError:
            raise NotReady("the curator does not answer; try again in a few seconds") from None

    async def predict(
        self, raw: bytes, caller: str = "", deadline: float = float("inf")
    ) -> ScoredClip:
        """Raises ClipError for a clip nobody could hear, Overloaded when too many wait already,
        DeadlineExceeded when it is too late."""
        with self.admission.place(caller):
            found = await self._batcher.ask(caller, Item(raw, time.perf_counter(), deadline))
        self.metrics.predicted(found.served, found.scores, found.total_ms / 1e3)
        return found

    async def versions(self) -> tuple[str, ...]:
        """The numbers of those that are registered, as far as the curator tells them in time."""
        return await self._others.numbers(CURATOR_PATIENCE_S)

    async def described(self, version: str, caller: str = "") -> Bundle:
        """The bundle of the version of this number. Raises Overloaded, and as `OtherVersions`
        does."""
        if self.champion.loaded and version == self.champion.served.version:
            return self.champion.served.bundle
        self.admission.check(caller)
        known = await self._others.ready(version, CURATOR_PATIENCE_S)
        with self.admission.place(caller):
            return await self._others.described(known)

    async def predict_on(
        self,
        version: str,
        raw: bytes,
        caller: str = "",
        deadline: float = float("inf"),
        patience_s: float | None = None,
    ) -> ScoredClip:
        """On the version of this number; raises as `predict` and `OtherVersions` does."""
        if self.champion.loaded and version == self.champion.served.version:
            return await self.predict(raw, caller, deadline)
        item = Item(raw, time.perf_counter(), deadline)
        self.admission.check(caller)
        known = await self._others.ready(version, patience_s)  # the curator may be away
        with self.admission.place(caller):
            found = await self._others.answer(known, item)
        self.metrics.predicted(found.served, found.scores, found.total_ms / 1e3)
        return found

    def answer_batch(self, items: list[Item]) -> list[ScoredOrError]:
        """Bytes to scores, in the batcher's thread; `served` is read once, so that a batch runs
        on one version."""
        return answer_batch(self.champion.served, items)

    async def follow(self, pointer: Pointer, purged: frozenset[str]) -> dict[str, Any]:
        """Called on every replica at each beat: the champion, which changes now and then, and the
        digests of versions that were removed."""
        swaps, failures = self.champion.swaps, self.champion.failures
        await self.champion.follow(pointer, self._fetch)
        await self._others.forget(purged)
        if self.champion.swaps != swaps and self.champion.last_swap_s is not None:
            self.metrics.swapped(self.champion.last_swap_s)
        if self.champion.failures != failures:
            self.metrics.swap_failed()
        self._announce()
        return self.report()

    def report(self) -> dict[str, Any]:
        """What the curator learns of a replica, whether or not there is a champion to follow."""
        return {**self.describe(), "counted": self._counted()}

    def describe(self) -> dict[str, Any]:
        champion = self.champion
        served = champion.served if champion.loaded else None
        return {
            "replica": serve.get_replica_context().replica_tag,
            "node": self.node,
            "version": served.version if served else None,
            "digest": served.digest if served else None,
            "load_error": champion.load_error,
            "pid": os.getpid(),
            "swaps": champion.swaps,
            "last_swap_s": champion.last_swap_s,
            "uptime_s": round(time.time() - self.started, 1),
            **self._load(),
        }

    def _load(self) -> dict[str, Any]:
        """What this replica is busy with; all but `queued` grows for as long as it lives."""
        counts = self._batcher.counts
        tells = next(iter(self.beside)) == self.domain.name
        return {
            "cpu_s": process_cpu_s() if tells else None,
            "rss_mb": resident_mb() if tells else None,
            "queued": self._batcher.waiting,
            "answered": counts.answered,
            "batches": counts.batches,
            "busy_s": round(counts.busy_s, 3),
            "refused": self.metrics.tally["rejected"],
            "latencies": list(self.metrics.latencies.counts),
        }

    def _counted(self) -> dict[Key, float]:
        """For /metrics: what grows for as long as this replica lives."""
        load, name = self._load(), self.domain.name
        found = self.metrics.samples() | {
            key("telltale_batches_total", domain=name): load["batches"],
            key("telltale_batched_clips_total", domain=name): load["answered"],
        }
        used = key("telltale_cpu_seconds_total", domain=name)
        if load["cpu_s"] is None:
            del found[used]
            return found
        return found | {used: load["cpu_s"]}

    def _announce(self) -> None:
        if self.champion.loaded:
            self.metrics.serving(self.champion.served)

    async def _ask_pointer(self) -> Pointer | None:
        try:
            async with asyncio.timeout(CURATOR_PATIENCE_S):
                pointer: Pointer | None = await self.curator.pointer.remote(self.domain.name)
                return pointer
        except Exception:  # the data plane never waits for the curator
            return None

    async def _digests(self) -> dict[str, str]:
        versions = await self.ask_curator("versions", self.domain.name)
        return {row["version"]: row["digest"] for row in versions}

    async def _fetch(self, digest: str) -> dict[str, bytes]:
        files: dict[str, bytes] = await self.ask_curator("fetch", self.domain.name, digest)
        return files


_OPENING = Lock()


def store_of_process(database_url: str, storage_uri: str) -> "Store":
    with _OPENING:  # several threads may be the first to ask
        return _opened(database_url, storage_uri)


@cache
def _opened(database_url: str, storage_uri: str) -> "Store":
    from data.store.store import Store

    return Store.open(database_url, storage_uri)


def process_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return round(used.ru_utime + used.ru_stime, 2)


def resident_mb() -> int:
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * resource.getpagesize() // 1024**2
