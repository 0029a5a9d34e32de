"""Corrections as a head is fitted to them: which stand or fall together, and who sent them."""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from data.store.clip_rows import Clip
from models.tensors import as_stored
from training.job.plan import Uploads
from training.teaching.head import Integers, LabelledEmbeddings

ONE_SITTING = timedelta(hours=1)


def corrections_of(uploads: Uploads, size: int) -> LabelledEmbeddings:
    """Rows [n * rows, size] of the clips that people sent."""
    clips, rows = uploads.labels.shape
    by_clip = _numbered(groups_of(uploads)), _numbered([clip.who for clip in uploads.sent])
    groups, senders = (np.repeat(each, rows) for each in by_clip)
    return LabelledEmbeddings(
        as_stored(uploads.values.reshape(clips * rows, size)),
        uploads.labels.ravel(),
        groups,
        senders if len(senders) else None,
        rows=rows,
    )


def groups_of(uploads: Uploads) -> list[str]:
    """The group of each clip: what its sender said, or what he sent within an hour."""
    sittings = _sittings(uploads.sent)
    return [
        sittings.get(clip.sha256, clip.group) if clip.group == clip.sha256 else clip.group
        for clip in uploads.clips
    ]


def _sittings(sent: Sequence[Clip]) -> dict[str, str]:
    """Of clips without a group: a name for each run of one sender's that never pauses an hour."""
    found: dict[str, str] = {}
    last: dict[str, Clip] = {}
    for clip in sorted(sent, key=lambda each: (each.created_at, each.sha256)):
        if clip.group:
            continue
        before = last.get(clip.who)
        goes_on = before and clip.created_at - before.created_at <= ONE_SITTING
        found[clip.sha256] = found[before.sha256] if before and goes_on else clip.sha256
        last[clip.who] = clip
    return found


def _numbered(names: Sequence[str]) -> Integers:
    return np.unique(np.array(names, dtype=object), return_inverse=True)[1].astype(np.int64)
