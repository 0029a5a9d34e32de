"""How well masks agree with a person's on the exam's photographs, source by source.

Hair lines are drawn one or two pixels wide, and people draw them a pixel or two apart: beside the
Dice coefficient stands an F1 that forgives TOLERANCE_PX, as papers on cracks have it.
"""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt

from data.arrays import Integers, Mask
from data.datasets.dataset import read_file
from data.domains.domain import ImageDomain
from models.bundle import Bundle
from models.runtime import OnnxModel
from training.assess.calibration.thresholds import answered_mask
from training.assess.examine import exam_clips

TOLERANCE_PX = 2


@dataclass(frozen=True)
class MaskAgreement:
    """Over all pixels of a source's photographs together."""

    source: str
    photographs: int
    dice: float
    near_f1: float  # of pixels that lie within TOLERANCE_PX of one of the other mask


def agreement_by_source(bundle: Bundle, dataset: Path) -> list[MaskAgreement]:
    """Nothing of a domain that draws no masks."""
    domain = bundle.domain
    if not isinstance(domain, ImageDomain):
        return []
    head, embed = bundle.head(), OnnxModel(bundle).embed
    counts: dict[str, list[Integers]] = defaultdict(list)
    for clip in exam_clips(domain, dataset):
        mask, right = answered_mask(head, clip, embed, read_file, domain)
        counts[clip.source].append(pixel_counts(mask, right))
    return [agreement(source, np.array(each)) for source, each in sorted(counts.items())]


def pixel_counts(mask: Mask, right: Mask) -> Integers:
    """[5]: pixels in both, in the answer, in the right mask; answered ones near a right one, and
    right ones near an answered one."""
    pairs = (
        (mask, right),
        (mask, mask),
        (right, right),
        (mask, _near(right)),
        (right, _near(mask)),
    )
    return np.array([(one & other).sum() for one, other in pairs], np.int64)


def _near(mask: Mask) -> Mask:
    if not mask.any():
        return mask
    return np.asarray(distance_transform_edt(~mask) <= TOLERANCE_PX)


def agreement(source: str, counts: Integers) -> MaskAgreement:
    """Of the counts [photographs, 5] of its pixels."""
    both, answered, right, near, found = counts.sum(axis=0).tolist()
    precision, recall = near / max(1, answered), found / max(1, right)
    return MaskAgreement(
        source,
        len(counts),
        2 * both / max(1, answered + right),
        2 * precision * recall / max(1e-9, precision + recall),
    )
