"""What the routes ask of the replica they run in; `serve_app/domain_service.py` is the real one."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from data.domains.domain import Domain
from models.bundle import Bundle
from serve_app.replica.admission import Admission
from serve_app.replica.champion import Champion
from serve_app.replica.prediction_log import PredictionLog
from serve_app.replica.replica_metrics import Metrics
from serve_app.replica.scoring import ScoredClip
from serve_app.settings import Settings

if TYPE_CHECKING:
    from ray.serve.handle import DeploymentHandle

    from data.store.store import Store


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
    def beside(self) -> Mapping[str, "Replica"]:
        """By domain, those in this process, this one too."""

    @property
    def store(self) -> "Store": ...

    @property
    def jobs(self) -> "Jobs": ...

    async def predict(
        self, raw: bytes, caller: str = "", deadline: float = float("inf")
    ) -> ScoredClip: ...

    async def versions(self) -> Sequence[str]: ...

    async def described(self, version: str, caller: str = "") -> Bundle: ...

    async def predict_on(
        self,
        version: str,
        raw: bytes,
        caller: str = "",
        deadline: float = float("inf"),
        patience_s: float | None = None,
    ) -> ScoredClip: ...

    def describe(self) -> dict[str, Any]: ...

    @property
    def busy(self) -> bool: ...

    def peer(self, domain: str) -> "DeploymentHandle": ...

    async def ask_curator(self, method: str, *arguments: Any) -> Any: ...
