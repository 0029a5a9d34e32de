"""A network together with all that changes while it learns: what a checkpoint holds."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from data.domain import Domain, TrainingSpec
from models.cnn import Classifier, build_classifier

State = dict[str, Tensor]

AVERAGED_EPOCHS = 1.5
SOURCE_WEIGHT = 0.5
MAX_GRADIENT = 5.0


class LearningNetwork(nn.Module):
    """The classifier and, only while it learns, a second head for the clips' finer sources.

    Where a data set says which of four sirens a clip of the label "electrical" is, telling them
    apart teaches the backbone more than the label alone.
    """

    def __init__(self, domain: Domain, sources: int) -> None:
        super().__init__()
        self.classifier = build_classifier(domain)
        self.sources = nn.Linear(domain.network.embedding, sources)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        embedding, _ = self.classifier.backbone(features)
        embedding = self.classifier.dropout(embedding)
        return self.classifier.head(embedding), self.sources(embedding)


class Learner:
    def __init__(
        self, domain: Domain, sources: int, class_weights: Tensor, steps: int, device: torch.device
    ) -> None:
        spec = domain.training
        torch.manual_seed(spec.seed)
        plain = LearningNetwork(domain, sources)
        # Depthwise convolutions run twice as fast on a CPU with channels last.
        self.plain = plain.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network: nn.Module = self.plain
        decay = get_ema_multi_avg_fn(1 - 1 / max(2.0, AVERAGED_EPOCHS * steps))  # type: ignore[no-untyped-call]
        self.average = AveragedModel(self.plain, multi_avg_fn=decay, use_buffers=True)
        self.optimizer = torch.optim.AdamW(
            self.plain.parameters(), lr=spec.learning_rate, weight_decay=spec.weight_decay
        )
        self.schedule = _schedule(self.optimizer, spec, steps)
        self.device = device
        self.labels = len(domain.labels)
        self.class_weights = class_weights.to(device)
        self.smoothing = spec.label_smoothing
        self.history: list[dict[str, Any]] = []
        self.best: State = {}

    def learn(self, features: Tensor, targets: Tensor) -> float:
        """One step; targets [n, labels + sources], each part a distribution."""
        self.network.train()
        targets = targets.to(self.device)
        logits, source_logits = self.network(features.to(self.device))
        loss = label_loss(logits, targets[:, : self.labels], self.class_weights, self.smoothing)
        loss = loss + SOURCE_WEIGHT * functional.cross_entropy(
            source_logits, targets[:, self.labels :], label_smoothing=self.smoothing
        )
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.plain.parameters(), MAX_GRADIENT)
        self.optimizer.step()
        if isinstance(self.schedule, OneCycleLR):
            self.schedule.step()
        self.average.update_parameters(self.plain)
        return float(loss.detach())

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
        state = self.classifier.state_dict()
        self.best = {name: value.detach().cpu().clone() for name, value in state.items()}

    def save(self, file: Path) -> None:
        torch.save(
            {
                "network": self.plain.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict(),
                "history": self.history,
                "best": self.best,
            },
            file,
        )

    def restore(self, file: Path) -> None:
        # Loading moves each part to where it belongs; the best weights stay off the GPU.
        state = torch.load(file, map_location="cpu", weights_only=True)
        self.plain.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.history, self.best = state["history"], state["best"]


def label_loss(logits: Tensor, targets: Tensor, class_weights: Tensor, smoothing: float) -> Tensor:
    """A clip weighs what its label weighs; targets [n, labels] are mixtures of labels.

    PyTorch's own class weights would multiply the smoothed targets as well: a rare label's share of
    the smoothing would then outweigh the right label of every clip.
    """
    losses = functional.cross_entropy(logits, targets, reduction="none", label_smoothing=smoothing)
    return (losses * (targets @ class_weights)).mean()


def _schedule(
    optimizer: torch.optim.Optimizer, spec: TrainingSpec, steps: int
) -> OneCycleLR | ReduceLROnPlateau:
    if spec.schedule == "plateau":
        return ReduceLROnPlateau(optimizer, factor=0.5, patience=max(1, spec.patience // 3))
    return OneCycleLR(optimizer, spec.learning_rate, total_steps=spec.epochs * steps)
