"""What a bundle remembers of a clip: a row for a clip that is classified, and one for each of
some pixels of a photograph that is segmented. A head is fitted to rows, whichever they are.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from data.arrays import Floats, Integers
from data.datasets.dataset import LabelledClip, Reader
from data.domains.domain import Domain, ImageDomain
from models.masks import ROWS, places

Embedded = tuple[Floats, Floats]  # embeddings [N, D] and those of frames or pixels [N, T, D]


def rows_of(features: Floats, embedded: Embedded, domain: Domain) -> Floats:
    """What `embed` found in a clip's features -> [rows, D]."""
    return VALUES[domain.task](features, embedded)


def row_labels(clip: LabelledClip, read: Reader, domain: Domain) -> Integers:
    """The right label of each row [rows]; raises ClipError for a mask nobody can read."""
    return LABELS[domain.task](clip, read, domain)


def numbered(clips: Sequence[LabelledClip]) -> Integers:
    """The group of each clip [clips] as a number: names of people and places stay with the data."""
    names = sorted({clip.group for clip in clips})
    place = {name: number for number, name in enumerate(names)}
    return np.array([place[clip.group] for clip in clips], np.int64)


def _whole(features: Floats, embedded: Embedded) -> Floats:
    return np.asarray(embedded[0].mean(axis=0, keepdims=True))


def _pixels(features: Floats, embedded: Embedded) -> Floats:
    return np.asarray(embedded[1][0, places(*features.shape[2:])])


def _its_label(clip: LabelledClip, read: Reader, domain: Domain) -> Integers:
    return np.array([domain.label_index(clip.label)], np.int64)


def _of_its_mask(clip: LabelledClip, read: Reader, domain: ImageDomain) -> Integers:
    from data.datasets.photographs import read_mask  # Pillow, which teaching sounds does without

    mask = read_mask(clip, read, domain)
    if mask is None:
        return np.zeros(ROWS[domain.task], np.int64)
    return mask.ravel()[places(*mask.shape)].astype(np.int64)


VALUES: dict[str, Callable[[Floats, Embedded], Floats]] = {"classify": _whole, "segment": _pixels}
LABELS: dict[str, Callable[[LabelledClip, Reader, Any], Integers]] = {
    "classify": _its_label,
    "segment": _of_its_mask,
}
