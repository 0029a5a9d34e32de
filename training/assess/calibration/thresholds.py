"""The last touch to a trained head, and the figures that only a task has, by task.

Nothing is to be done where clips are classified. Where photographs are segmented, the share of a
pixel's chance from which on it counts is found on the validation photographs and becomes part of
the head's bias, so that everybody else may go on asking which label is likelier.
"""

from collections.abc import Callable, Sequence

import numpy as np

from data.arrays import Floats, Mask
from data.datasets.dataset import LabelledClip, Reader
from data.datasets.photographs import read_mask
from data.domains.domain import Domain, ImageDomain
from data.media.prepare import prepare
from models.masks import outline
from models.metrics import Segmentation, segmentation
from models.tensors import Head

Embed = Callable[[Floats], tuple[Floats, Floats]]

BINS = np.linspace(-12, 12, 961)  # of a pixel's logit; the threshold is one of their edges


def finished_head(
    head: Head, held: Sequence[LabelledClip], embed: Embed, read: Reader, domain: Domain
) -> Head:
    return HEADS[domain.task](head, held, embed, read, domain)


def mask_figures(
    head: Head, exam: Sequence[LabelledClip], embed: Embed, read: Reader, domain: Domain
) -> Segmentation | None:
    return MASKS[domain.task](head, exam, embed, read, domain)


def _same(head: Head, *_: object) -> Head:
    return head


def _none(*_: object) -> None:
    return None


def _with_best_threshold(
    head: Head, held: Sequence[LabelledClip], embed: Embed, read: Reader, domain: ImageDomain
) -> Head:
    """The bias moved to where the Dice coefficient of all their pixels together is highest."""
    counts = np.zeros((2, len(BINS) + 1), np.int64)
    for clip in held:
        logits, right = _seen(head, clip, embed, read, domain)
        margin = logits[:, 1] - logits[:, 0]
        for label in range(2):
            place = np.searchsorted(BINS, margin[right.ravel() == label])
            counts[label] += np.bincount(place, minlength=len(BINS) + 1)
    if not counts[1].any():
        return head
    outside, inside = counts[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]  # above each edge
    dice = 2 * inside / (inside + outside + counts[1].sum())
    return Head(head.weight, head.bias - np.array([0, BINS[dice.argmax()]], np.float32))


def _all_pixels(
    head: Head, exam: Sequence[LabelledClip], embed: Embed, read: Reader, domain: ImageDomain
) -> Segmentation:
    overlaps, found, cracked = [], 0, 0
    for clip in exam:
        mask, right = answered_mask(head, clip, embed, read, domain)
        overlaps.append([(mask & right).sum(), mask.sum(), right.sum()])
        cracked += bool(right.any())
        found += bool(right.any() and mask.any())
    groups = [clip.group for clip in exam]
    return segmentation(np.array(overlaps, np.int64), groups, found / max(1, cracked))


def answered_mask(
    head: Head, clip: LabelledClip, embed: Embed, read: Reader, domain: ImageDomain
) -> tuple[Mask, Mask]:
    """A photograph's mask as it is answered and the right one, [H, W]."""
    logits, right = _seen(head, clip, embed, read, domain)
    return outline(logits, *right.shape), right


def _seen(
    head: Head, clip: LabelledClip, embed: Embed, read: Reader, domain: ImageDomain
) -> tuple[Floats, Mask]:
    """A photograph's logits [pixels, 2] and its right mask [H, W]."""
    features = prepare(read(clip), domain).features
    mask = read_mask(clip, read, domain)
    right = np.zeros(features.shape[2:], bool) if mask is None else mask
    return head.logits(embed(features)[1][0]), right


HEADS: dict[str, Callable[..., Head]] = {"classify": _same, "segment": _with_best_threshold}
MASKS: dict[str, Callable[..., Segmentation | None]] = {"classify": _none, "segment": _all_pixels}
