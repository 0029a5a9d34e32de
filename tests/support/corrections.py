"""What people say of clips that lie in a store already."""

from typing import Unpack

from data.store.clips.clip_rows import NewClip
from data.store.review.feedback import Feedback, NewFeedback
from data.store.store import Store


def add_correction(
    store: Store,
    domain: str,
    clip_sha256: str,
    mask: bytes | None = None,
    **said: Unpack[NewFeedback],
) -> Feedback:
    """The clip is sent again in a way that claims nothing of it."""
    raw = store.clips.read(clip_sha256)
    again = NewClip(raw, domain, None, None, "rejected", "feedback", 1.0, 16_000, mask=mask)
    return store.feedback.keep(again, may_relabel=False, **said)
