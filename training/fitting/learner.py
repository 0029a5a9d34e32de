"""A network together with all that changes while it learns: what a checkpoint holds."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from data.atomic import atomic_file
from data.domains.sections import TrainingSpec
from models.networks.kinds import Classifier
from training.fitting.assignment import LearningNetwork

State = dict[str, Tensor]

AVERAGED_EPOCHS = 1.5
MAX_GRADIENT = 5.0


class Learner:
    def __init__(
        self, network: LearningNetwork, spec: TrainingSpec, steps: int, device: torch.device
    ) -> None:
        # Depthwise convolutions run twice as fast on a CPU with channels last.
        self.plain = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network: nn.Module = self.plain
        decay = get_ema_multi_avg_fn(1 - 1 / max(2.0, AVERAGED_EPOCHS * steps))  # type: ignore[no-untyped-call]
        self.average = AveragedModel(self.plain, multi_avg_fn=decay, use_buffers=True)
        self.optimizer = torch.optim.AdamW(
            self.plain.parameters(), lr=spec.learning_rate, weight_decay=spec.weight_decay
        )
        self.schedule = _schedule(self.optimizer, spec, steps)
        self.device = device
        self.history: list[dict[str, Any]] = []
        self.best: State = {}

    def learn(self, features: Tensor, targets: Tensor) -> tuple[float, float]:
        """One step; the loss and the accuracy of the batch before it."""
        self.network.train()
        outputs, wanted = self.network(features.to(self.device)), targets.to(self.device)
        loss = self.plain.loss(outputs, wanted)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.plain.parameters(), MAX_GRADIENT)
        self.optimizer.step()
        if isinstance(self.schedule, OneCycleLR):
            self.schedule.step()
        self.average.update_parameters(self.plain)
        return float(loss.detach()), self.plain.accuracy(outputs, wanted)

    def end_epoch(self, validation_loss: float) -> None:
        if isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step(validation_loss)

    @property
    def classifier(self) -> Classifier:
        """With the averaged weights: steadier on few clips than the weights themselves."""
        averaged = self.average.module
        assert isinstance(averaged, LearningNetwork)
        return averaged.classifier.eval()

    def keep_as_best(self) -> None:
        learnt = _learning(self.classifier)
        self.best = {name: value.detach().cpu().clone() for name, value in learnt.items()}

    @property
    def weights(self) -> State:
        """The whole classifier at its best; empty before there was a best epoch."""
        whole = {name: value.cpu() for name, value in self.classifier.state_dict().items()}
        return whole | self.best if self.best else {}

    def save(self, file: Path) -> None:
        """Whole or not at all, and without what stays as it was when the training started."""
        state = {
            "network": _learning(self.plain),
            "average": _learning(self.average),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "history": self.history,
            "best": self.best,
        }
        with atomic_file(file) as part:
            torch.save(state, part)

    def restore(self, file: Path) -> None:
        # Loading moves each part to where it belongs; the best weights stay off the GPU.
        state = torch.load(file, map_location="cpu", weights_only=True)
        self.plain.load_state_dict(self.plain.state_dict() | state["network"])
        self.average.load_state_dict(self.average.state_dict() | state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.history, self.best = state["history"], state["best"]


def _learning(network: nn.Module) -> State:
    """A frozen trunk would fill each checkpoint three times."""
    frozen = {name for name, weight in network.named_parameters() if not weight.requires_grad}
    return {name: value for name, value in network.state_dict().items() if name not in frozen}


def _schedule(
    optimizer: torch.optim.Optimizer, spec: TrainingSpec, steps: int
) -> OneCycleLR | ReduceLROnPlateau:
    if spec.schedule == "plateau":
        return ReduceLROnPlateau(optimizer, factor=0.5, patience=max(1, spec.patience // 3))
    return OneCycleLR(optimizer, spec.learning_rate, total_steps=spec.epochs * steps)
