"""Clips brought back to what a snapshot says of them."""

from dataclasses import replace

from sqlalchemy import Connection

from data.store.clips import Clip, decide, known_clip
from data.store.difference import Difference


def put_back(connection: Connection, wanted: Difference, why_removed: str, who: str) -> None:
    """Makes the difference: what is to be removed waits in quarantine, where nothing is lost."""
    for clip in (*wanted.added, *(after for _, after in wanted.relabelled)):
        _write(connection, replace(clip, state="accepted", reason=""), who)
    for clip in wanted.removed:
        _write(connection, replace(clip, state="quarantined", reason=why_removed), who)


def _write(connection: Connection, wanted: Clip, who: str) -> None:
    before = known_clip(connection, wanted.domain, wanted.sha256)
    after = replace(before, label=wanted.label, state=wanted.state, reason=wanted.reason)
    decide(connection, before, after, kind="clip.restored", who=who)
