"""What every training worker is given, and what a way of learning has to offer it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from data.arrays import Bools, Floats, Integers
from data.domains.domain import Domain
from models.networks.kinds import Classifier


@dataclass(frozen=True)
class Assignment:
    """`decoded` is a folder every worker can read, or copy from the bucket `shared_by`; `labels`,
    `sources` and `groups` [clips] are ids; `held_out` [clips] is True for validation; `on_epoch`
    gets each epoch's figures; `kept` is the folder for the checkpoint of a loop without Ray, which
    would keep none."""

    domain: Domain
    decoded: Path
    labels: Integers
    sources: Integers
    groups: Integers
    held_out: Bools
    on_epoch: Callable[[dict[str, Any]], None]
    kept: Path | None = None
    shared_by: str = field(default="", repr=False)  # may hold a key


class EpochBatches(Protocol):
    def __len__(self) -> int: ...

    def epoch(
        self, number: int, rank: int = 0, world: int = 1
    ) -> Iterator[tuple[Floats, Floats]]: ...


class Held(Protocol):
    """Validation clips, ready for the network."""

    def validate(self, network: Classifier, device: torch.device) -> dict[str, float]:
        """`validation_loss` and `validation_macro_f1`."""
        ...


class LearningNetwork(nn.Module):
    """A classifier with whatever it has besides while it learns."""

    classifier: Classifier

    def loss(self, outputs: Any, targets: Tensor) -> Tensor:
        raise NotImplementedError

    def accuracy(self, outputs: Any, targets: Tensor) -> float:
        """The share of a batch that is answered rightly."""
        raise NotImplementedError


class LearningTask(Protocol):
    """A task's way of learning from an assignment."""

    def batches(self) -> EpochBatches: ...

    def network(self) -> LearningNetwork: ...

    def held(self) -> Held: ...
