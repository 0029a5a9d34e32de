"""Corrections as a head is fitted to them: which stand or fall together, and who sent them."""

from collections.abc import Sequence

import numpy as np

from data.arrays import Bools, Integers
from models.tensors import as_stored
from training.job.inputs import as_remembered
from training.screening.groups import copy_weights, correction_groups
from training.screening.serving_champion import ChampionBundle
from training.screening.uploads import Uploads
from training.teaching.head import LabelledEmbeddings


def corrections_of(uploads: Uploads, size: int) -> LabelledEmbeddings:
    """Rows [n * rows, size] of the clips that people sent."""
    clips, rows = uploads.labels.shape
    values = as_stored(uploads.values.reshape(clips * rows, size))
    if not uploads.sent:
        return LabelledEmbeddings(values, uploads.labels.ravel(), rows=rows)
    copies = copy_weights([clip.label for clip in uploads.clips], uploads.copies)
    return LabelledEmbeddings(
        values,
        uploads.labels.ravel(),
        np.repeat(_numbered(correction_groups(uploads.sent, uploads.copies)), rows),
        np.repeat(_numbered([clip.who for clip in uploads.sent]), rows),
        np.repeat(copies, rows),
        rows,
    )


def new_rows(uploads: Uploads, champion: ChampionBundle) -> Bools:
    """Which rows [n * rows] are of clips that the champion has not learnt with just this label."""
    known = np.array(as_remembered(uploads, champion), bool)
    return ~np.repeat(known, uploads.labels.shape[1])


def _numbered(names: Sequence[str]) -> Integers:
    return np.unique(np.array(names, dtype=object), return_inverse=True)[1].astype(np.int64)
