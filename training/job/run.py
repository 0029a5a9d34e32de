"""What one run works with, wired together by `training/retrain.py`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from data.datasets.dataset import Kept
from data.domains.domain import Domain
from data.home import Home
from data.store.store import Store
from models.bundle import Bundle
from models.registry.registry import Registry
from training.job.run_progress import Progress
from training.screening.serving_champion import ChampionBundle
from training.screening.uploads import Uploads

History = Sequence[dict[str, Any]]


class Training(Protocol):
    """Of a run, what training a network takes."""

    @property
    def domain(self) -> Domain: ...

    @property
    def home(self) -> Home: ...

    @property
    def progress(self) -> Progress: ...

    @property
    def workers(self) -> int: ...

    def read(self, kept: Kept) -> bytes: ...


@dataclass(frozen=True)
class RetrainRun:
    """`dataset` is the folder of data sets, if there is one; `shipped` that of the bundles that
    come with Telltale; with `workers` 0 the training is done in this process; `snapshot` is an
    older list of clips to learn from, None for a new one."""

    domain: Domain
    home: Home
    store: Store
    registry: Registry
    progress: Progress
    dataset: Path | None
    shipped: Path
    workers: int
    snapshot: str | None = None

    def read(self, kept: Kept) -> bytes:
        return kept.path.read_bytes() if kept.path else self.store.clips.read(kept.sha256)


@dataclass(frozen=True)
class Material:
    """What people sent, screened, and the model to start from and to beat, if there is one;
    `forgotten` are clips that it still remembers, though somebody asked us to forget them."""

    snapshot: str
    uploads: Uploads
    champion: ChampionBundle | None
    forgotten: frozenset[str] = frozenset()

    @property
    def parent(self) -> str | None:
        return self.champion.bundle.digest if self.champion else None


@dataclass(frozen=True)
class Challenger:
    """`history` has the figures of each epoch; teaching has none."""

    bundle: Bundle
    history: History
