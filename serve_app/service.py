"""`DomainService`, the replica: FastAPI ingress and batched inference in one process.

A clip is decoded and turned into features as it arrives, in a thread, so that a bad clip fails
alone; the batch takes whatever is waiting and runs it through one version of the network.
"""

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ray import serve
from ray.serve.handle import DeploymentHandle

from data.domain import Domain, load_domains
from data.errors import DeadlineExceeded, NotReady
from data.prepare import Prepared, prepare
from models.runtime import Scores
from serve_app.champion import Champion, Served
from serve_app.metrics import Metrics
from serve_app.pointer import Pointer
from serve_app.settings import settings_from_env

if TYPE_CHECKING:
    from data.store import Store
    from serve_app.door import Door

CURATOR_PATIENCE_S = 0.5  # of a replica that starts; there is a pointer on disk, too
CURATOR_TIMEOUT_S = 40.0  # a promotion waits until every replica has swapped
TOO_LATE = "the deadline passed before the clip's turn came"


@dataclass(frozen=True)
class Item:
    """A prepared clip on its way to the network; `deadline` on the monotonic clock."""

    prepared: Prepared
    served: Served
    queued: float
    deadline: float


@dataclass(frozen=True)
class Answer:
    served: Served
    scores: Scores
    prepared: Prepared
    prepare_ms: float
    queue_ms: float
    network_ms: float


@serve.ingress()
class DomainService:
    """One domain's routes and network. Also answers handle calls: predict, follow, describe."""

    async def __init__(self, name: str) -> None:  # type: ignore[misc]  # Serve awaits it
        self.domain: Domain = load_domains(names=(name,))[name]
        self.settings = settings_from_env()
        self.started = time.time()
        self.metrics = Metrics(name)
        self.champion = Champion(name, self.settings.home)
        self.curator = serve.get_deployment_handle("Curator", app_name="curator")
        self._preparing = ThreadPoolExecutor(1, thread_name_prefix="prepare")
        self._running = ThreadPoolExecutor(1, thread_name_prefix="network")
        self._forward.set_max_batch_size(self.domain.serving.max_batch_size)
        self._forward.set_batch_wait_timeout_s(self.domain.serving.batch_wait_s)
        self._peers: dict[str, DeploymentHandle] = {}
        await self.champion.start(await self._ask_pointer(), self._fetch)
        self._announce()

    def __serve_build_asgi_app__(self) -> "Door":
        from serve_app.api import build_api

        return build_api(self)

    @cached_property
    def store(self) -> "Store":
        """Opened by the first upload or correction; a replica that only predicts has no SQL."""
        from data.store import Store

        return Store.open(self.settings.home.database_url, self.settings.home.storage_uri)

    def peer(self, domain: str) -> DeploymentHandle:
        """Another domain's replicas; a handle is made once, since each keeps a router."""
        if domain not in self._peers:
            self._peers[domain] = serve.get_deployment_handle("DomainService", app_name=domain)
        return self._peers[domain]

    async def ask_curator(self, method: str, *arguments: Any) -> Any:
        """Raises NotReady where the curator is away; what it refuses comes through as it is."""
        try:
            async with asyncio.timeout(CURATOR_TIMEOUT_S):
                return await getattr(self.curator, method).remote(*arguments)
        except TimeoutError:
            raise NotReady("the curator does not answer; try again in a few seconds") from None

    async def predict(self, raw: bytes, deadline: float = float("inf")) -> Answer:
        """Raises ClipError for a clip nobody could hear, DeadlineExceeded when it is too late."""
        started = time.perf_counter()
        served = self.champion.served
        loop = asyncio.get_running_loop()
        prepared = await loop.run_in_executor(
            self._preparing, prepare_in_time, raw, served.domain, deadline
        )
        queued = time.perf_counter()
        outcome = await self._forward(Item(prepared, served, queued, deadline))
        if isinstance(outcome, Exception):
            raise outcome
        served, scores, begun, ended = outcome
        self.metrics.predicted(served, scores, ended - started)
        return Answer(
            served=served,
            scores=scores,
            prepared=prepared,
            prepare_ms=(queued - started) * 1e3,
            queue_ms=(begun - queued) * 1e3,
            network_ms=(ended - begun) * 1e3,
        )

    @serve.batch(max_batch_size=8, batch_wait_timeout_s=0)
    async def _forward(self, items: list[Item]) -> list["Outcome"]:
        served = self.champion.served
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._running, run_batch, served, items)

    async def follow(self, pointer: Pointer) -> dict[str, Any]:
        """Called on every replica once a second: the champion, which changes now and then."""
        swaps, failures = self.champion.swaps, self.champion.failures
        await self.champion.follow(pointer, self._fetch)
        if self.champion.swaps != swaps and self.champion.last_swap_s is not None:
            self.metrics.swapped(self.champion.last_swap_s)
        if self.champion.failures != failures:
            self.metrics.swap_failed()
        self._announce()
        self.metrics.flush()
        return self.describe()

    def describe(self) -> dict[str, Any]:
        champion = self.champion
        served = champion.served if champion.loaded else None
        return {
            "replica": serve.get_replica_context().replica_tag,
            "version": served.version if served else None,
            "digest": served.digest if served else None,
            "load_error": champion.load_error,
            "pid": os.getpid(),
            "swaps": champion.swaps,
            "last_swap_s": champion.last_swap_s,
            "uptime_s": round(time.time() - self.started, 1),
        }

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

    async def _fetch(self, digest: str) -> dict[str, bytes]:
        files: dict[str, bytes] = await self.ask_curator("fetch", self.domain.name, digest)
        return files


Outcome = tuple[Served, Scores, float, float] | Exception


def prepare_in_time(raw: bytes, domain: Domain, deadline: float) -> Prepared:
    """Raises DeadlineExceeded for a clip whose turn comes too late, before any work on it."""
    if deadline < time.monotonic():
        raise DeadlineExceeded(TOO_LATE)
    return prepare(raw, domain)


def run_batch(served: Served, items: list[Item]) -> list[Outcome]:
    """One pass on one version. A clip prepared for a version with other features (it arrived
    just before a swap) is answered by the version it was prepared for."""
    begun = time.perf_counter()
    outcomes: list[Outcome | None] = [None] * len(items)
    together: list[int] = []
    for i, item in enumerate(items):
        if item.deadline < time.monotonic():
            outcomes[i] = DeadlineExceeded(TOO_LATE)
        elif item.served.spec == served.spec:
            together.append(i)
        else:
            scores = item.served.model.predict([item.prepared.features])[0]
            outcomes[i] = (item.served, scores, begun, time.perf_counter())
    batch = served.model.predict([items[i].prepared.features for i in together]) if together else []
    ended = time.perf_counter()
    for i, scores in zip(together, batch, strict=True):
        outcomes[i] = (served, scores, begun, ended)
    return [outcome for outcome in outcomes if outcome is not None]
