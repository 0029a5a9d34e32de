"""How a network learns to segment: its loss, its batches, its validation.

The loss is binary cross-entropy, which judges each pixel, plus the Dice loss (Milletari et al.
2016, V-Net), which judges the mask: a crack is 3 % of a photograph, and a network that sees none
would be right about the other 97.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from data.datasets.photographs import PhotoBatches, Photographs, open_photographs
from data.domains.domain import ImageDomain
from data.media.image import photograph
from models.metrics import confusion, figures, macro_f1
from models.networks.kinds import Classifier, build_classifier
from training.fitting.assignment import Assignment, LearningNetwork


class SegmentingNetwork(LearningNetwork):
    def __init__(self, domain: ImageDomain) -> None:
        super().__init__()
        self.classifier = build_classifier(domain)

    def forward(self, features: Tensor) -> Tensor:
        return self.classifier.everywhere(features)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return mask_loss(outputs, targets)

    def accuracy(self, outputs: Tensor, targets: Tensor) -> float:
        """Of pixels."""
        return float((outputs.argmax(dim=2) == targets).float().mean())


def mask_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """logits [n, pixels, 2], masks [n, pixels] of 0 and 1; Dice over the batch as a whole, since
    a square without a crack has none of its own."""
    margin = logits[..., 1] - logits[..., 0]
    chance = torch.sigmoid(margin)
    dice = (2 * (chance * masks).sum() + 1) / (chance.sum() + masks.sum() + 1)
    return functional.binary_cross_entropy_with_logits(margin, masks) + 1 - dice


@dataclass(frozen=True)
class HeldPhotographs:
    """Validation photographs [1, 3, H, W] with their masks [1, H * W]."""

    pairs: tuple[tuple[Tensor, Tensor], ...]

    def validate(self, network: Classifier, device: torch.device) -> dict[str, float]:
        """Losses in the mean of photographs; the other figures are those of all pixels."""
        losses, counts = [], np.zeros((2, 2), np.int64)
        with torch.inference_mode():
            for features, mask in self.pairs:
                logits = network.everywhere(features.to(device)).cpu()
                losses.append(float(mask_loss(logits, mask)))
                answers = logits[0].argmax(dim=1).numpy()
                counts += confusion(mask[0].numpy().astype(np.int64), answers, 2)
        dice = float(figures(counts)[2][1])  # the F1 of a mask's pixels
        return {
            "validation_loss": float(np.mean(losses)),
            "validation_dice": dice,
            "validation_iou": dice / (2 - dice),
            "validation_accuracy": float(np.trace(counts) / counts.sum()),
            "validation_macro_f1": float(macro_f1(counts)),
        }


@dataclass(frozen=True)
class Segment:
    """A `LearningTask`."""

    assignment: Assignment

    @property
    def domain(self) -> ImageDomain:
        domain = self.assignment.domain
        assert isinstance(domain, ImageDomain), domain.modality
        return domain

    @cached_property
    def photographs(self) -> Photographs:
        return open_photographs(self.assignment.decoded)

    def batches(self) -> PhotoBatches:
        members = np.flatnonzero(~self.assignment.held_out)
        size = self.domain.training.batch_size
        return PhotoBatches(self.domain, self.photographs, members, size)

    def network(self) -> SegmentingNetwork:
        return SegmentingNetwork(self.domain)

    def held(self) -> HeldPhotographs:
        pairs = []
        for place in np.flatnonzero(self.assignment.held_out).tolist():
            pixels = self.photographs[place]
            features = torch.from_numpy(photograph.features(pixels[..., :3]))[None]
            mask = torch.from_numpy((pixels[..., 3] > 127).astype(np.float32).reshape(1, -1))
            pairs.append((features, mask))
        return HeldPhotographs(tuple(pairs))
