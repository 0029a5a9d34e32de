"""How a network learns to classify: its loss, its batches, its validation."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from data.arrays import Floats, Integers
from data.datasets.dataset import Batches, Waveforms, one_hot, open_waveforms
from data.datasets.sampling import draw_chances
from data.domains.domain import AudioDomain
from data.media.audio.features import features_for, windows
from models.metrics import confusion, macro_f1
from models.networks.kinds import Classifier, build_classifier, start
from training.fitting.assignment import Assignment, LearningNetwork

SOURCE_WEIGHT = 0.5
VALIDATION_BATCH = 16  # windows; a layer of wav2vec 2.0 makes 30 MB of one of 5 s
HEAVIEST = 10.0  # times a clip of a label of mean frequency


class ClassifyingNetwork(LearningNetwork):
    """The classifier and, only while it learns, a second head for the clips' finer sources.

    Where a data set says which of four sirens a clip of the label "electrical" is, telling them
    apart teaches the backbone more than the label alone.
    """

    class_weights: Tensor

    def __init__(self, domain: AudioDomain, sources: int, class_weights: Tensor) -> None:
        super().__init__()
        self.classifier = build_classifier(domain)
        self.sources = nn.Linear(domain.network.embedding, sources)
        self.smoothing = domain.training.label_smoothing
        self.register_buffer("class_weights", class_weights, persistent=False)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        embedding, _ = self.classifier.backbone(features)
        embedding = self.classifier.dropout(embedding)
        return self.classifier.head(embedding), self.sources(embedding)

    def loss(self, outputs: tuple[Tensor, Tensor], targets: Tensor) -> Tensor:
        """targets [n, labels + sources], each part a distribution"""
        logits, source_logits = outputs
        labels = logits.shape[1]
        loss = label_loss(logits, targets[:, :labels], self.class_weights, self.smoothing)
        return loss + SOURCE_WEIGHT * functional.cross_entropy(
            source_logits, targets[:, labels:], label_smoothing=self.smoothing
        )

    def accuracy(self, outputs: tuple[Tensor, Tensor], targets: Tensor) -> float:
        """Of a mixture of clips the label that most of it has is right."""
        logits = outputs[0]
        right = logits.argmax(dim=1) == targets[:, : logits.shape[1]].argmax(dim=1)
        return float(right.float().mean())


@dataclass(frozen=True)
class HeldRecordings:
    """Validation clips as features [windows, *domain.window], of clip `owners` [windows] each."""

    features: Tensor
    owners: Integers
    labels: Integers

    def validate(self, network: Classifier, device: torch.device) -> dict[str, float]:
        with torch.inference_mode():
            parts = torch.split(self.features, VALIDATION_BATCH)
            window_logits = torch.cat([network(part.to(device)).cpu() for part in parts])
        clips = len(self.labels)
        logits = torch.zeros(clips, window_logits.shape[1])
        logits.index_add_(0, torch.from_numpy(self.owners), window_logits)
        logits /= torch.from_numpy(np.bincount(self.owners, minlength=clips))[:, None]
        loss = functional.cross_entropy(logits, torch.from_numpy(self.labels))
        counts = confusion(self.labels, logits.argmax(dim=1).numpy(), logits.shape[1])
        return {
            "validation_loss": float(loss),
            "validation_accuracy": float(np.trace(counts) / clips),
            "validation_macro_f1": float(macro_f1(counts)),
        }


@dataclass(frozen=True)
class Classify:
    """A `LearningTask`."""

    assignment: Assignment

    @property
    def domain(self) -> AudioDomain:
        domain = self.assignment.domain
        assert isinstance(domain, AudioDomain), domain.modality
        return domain

    @cached_property
    def waveforms(self) -> Waveforms:
        return open_waveforms(self.assignment.decoded)

    @property
    def source_count(self) -> int:
        return int(self.assignment.sources.max()) + 1

    def batches(self) -> Batches:
        ours, domain = self.assignment, self.domain
        targets = np.hstack(
            [
                one_hot(ours.labels, len(domain.labels)),
                one_hot(ours.sources, self.source_count),
            ]
        )
        members = np.flatnonzero(~ours.held_out)
        spec = domain.training
        chances = draw_chances(ours.labels[members], ours.groups[members], spec.sampling)
        return Batches(domain, self.waveforms, targets, members, spec.batch_size, chances)

    def network(self) -> ClassifyingNetwork:
        labels = self.assignment.labels[~self.assignment.held_out]
        weights = class_weights(labels, len(self.domain.labels))
        if self.domain.training.sampling != "uniform":
            weights = (weights > 0).astype(np.float32)  # drawn alike already
        network = ClassifyingNetwork(self.domain, self.source_count, torch.from_numpy(weights))
        start(network.classifier.backbone, self.domain)
        return network

    def held(self) -> HeldRecordings:
        features_of = features_for(self.domain)
        members = np.flatnonzero(self.assignment.held_out)
        parts = [
            features_of(windows(self.waveforms[clip], self.domain.input))
            for clip in members.tolist()
        ]
        owners = np.repeat(np.arange(len(members)), [len(part) for part in parts])
        features = torch.from_numpy(np.concatenate(parts))
        return HeldRecordings(features, owners, self.assignment.labels[members])


def label_loss(logits: Tensor, targets: Tensor, class_weights: Tensor, smoothing: float) -> Tensor:
    """A clip weighs what its label weighs; targets [n, labels] are mixtures of labels.

    PyTorch's own class weights would multiply the smoothed targets as well: a rare label's share of
    the smoothing would then outweigh the right label of every clip.
    """
    losses = functional.cross_entropy(logits, targets, reduction="none", label_smoothing=smoothing)
    return (losses * (targets @ class_weights)).mean()


def class_weights(labels: Integers, classes: int) -> Floats:
    """[classes]: rare labels weigh more, so that each has the same say, up to HEAVIEST: a single
    clip must not pull like a hundred. A label without clips weighs nothing."""
    counts = np.bincount(labels, minlength=classes)
    equal = len(labels) / (max(1, np.count_nonzero(counts)) * np.maximum(counts, 1))
    return np.where(counts > 0, np.minimum(equal, HEAVIEST), 0).astype(np.float32)
