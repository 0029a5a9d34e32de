"""What the routes ask of the replica they run in; `serve_app/domain_service.py` is the real one."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from data.domains.domain import Domain
from data.errors import TelltaleError
from serve_app.replica.admission import Admission
from serve_app.replica.champion import Champion
from serve_app.replica.prediction_log import PredictionLog
from serve_app.replica.replica_metrics import Metrics
from serve_app.replica.scoring import ScoredClip
from serve_app.settings import Settings

if TYPE_CHECKING:
    from ray.serve.handle import DeploymentHandle

    from data.store.store import Store

T = TypeVar("T")

AT_ONCE = 8  # clips of one request: the others of the queue are for other callers


class Jobs(Protocol):
    """`job_runner.py` has the real one."""

    def look(self) -> None: ...


class Replica(Protocol):
    domain: Domain
    settings: Settings
    started: float  # seconds since the epoch
    node: str
    metrics: Metrics
    champion: Champion
    admission: Admission
    prediction_log: PredictionLog | None
    curator: "DeploymentHandle"

    @property
    def store(self) -> "Store": ...

    @property
    def jobs(self) -> "Jobs": ...

    async def predict(
        self, raw: bytes, caller: str = "", deadline: float = float("inf")
    ) -> ScoredClip: ...

    async def predict_on(
        self,
        version: str,
        raw: bytes,
        caller: str = "",
        deadline: float = float("inf"),
        patience_s: float | None = None,
    ) -> ScoredClip: ...

    def describe(self) -> dict[str, Any]: ...

    def peer(self, domain: str) -> "DeploymentHandle": ...

    async def ask_curator(self, method: str, *arguments: Any) -> Any: ...


async def predict_all(
    service: Replica, clips: Sequence[bytes], who: str, told: Callable[[ScoredClip], T]
) -> list[T | Exception]:
    """For each clip what `told` makes of its answer, or what is wrong with it. The answers are let
    go one by one: with the features of its clip each takes megabytes."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(clip: bytes) -> T | Exception:
        async with turns:
            try:
                return told(await service.predict(clip, who))
            except TelltaleError as error:
                service.metrics.rejected(type(error).__name__)
                return error

    return await asyncio.gather(*map(one, clips))
