"""A clip that is kept, as an admin reads it: what is known of it, and what waits to be decided."""

from datetime import datetime

from serve_app.client.answers import Answer, Receipt, State


class ClipFlag(Answer):
    """What a check has to say of a clip: its kind, and the sentence for people."""

    kind: str
    reason: str


class KeptClip(Answer):
    clip: str  # its sha256
    label: str | None = None
    mask: str | None = None  # the sha256 of where in a photograph that is true
    state: State
    reason: str = ""
    who: str = ""
    source: str = ""
    duration_s: float = 0.0
    created: datetime
    flags: tuple[ClipFlag, ...] = ()
    waiting: tuple[Receipt, ...] = ()  # corrections of it that nobody has decided upon


class Clips(Answer):
    clips: tuple[KeptClip, ...]
