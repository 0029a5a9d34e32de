"""Kept clips, as an admin reviews them."""

from ..answers import Clips, Forgotten, KeptClip, State
from ..call import Call, get, one, part, post, raw, segment
from .teaching import LISTED


def clips(
    domain: str,
    state: State | None = None,
    *,
    label: str = "",
    flagged: bool = False,
    waiting: bool = False,
    doubted: bool = False,
    limit: int = LISTED,
    offset: int = 0,
) -> Call[tuple[KeptClip, ...]]:
    """Newest first; `flagged` ones alone come with the worst first, and where `doubted`
    those that the model is surest are something else."""
    return get(
        f"/{domain}/clips",
        part(Clips, lambda found: found.clips),
        limit=limit,
        offset=offset,
        state=state,
        label=label,
        flagged=flagged,
        waiting=waiting,
        order="disagreement" if doubted else None,
    )


def clip(domain: str, clip: str) -> Call[KeptClip]:
    return get(_path(domain, clip), one(KeptClip))


def content(domain: str, clip: str) -> Call[bytes]:
    return get(f"{_path(domain, clip)}/content", raw)


def mask(domain: str, clip: str) -> Call[bytes]:
    return get(f"{_path(domain, clip)}/mask", raw)


def accept(domain: str, clip: str) -> Call[KeptClip]:
    return post(f"{_path(domain, clip)}/accept", one(KeptClip))


def reject(domain: str, clip: str, reason: str) -> Call[KeptClip]:
    return post(f"{_path(domain, clip)}/reject", one(KeptClip), reason=reason)


def relabel(domain: str, clip: str, label: str) -> Call[KeptClip]:
    return post(f"{_path(domain, clip)}/relabel", one(KeptClip), label=label)


def undo(domain: str, clip: str) -> Call[KeptClip]:
    """Takes back the last decision upon the clip."""
    return post(f"{_path(domain, clip)}/undo", one(KeptClip))


def regroup(domain: str, clip: str, group: str) -> Call[KeptClip]:
    """Another recording, machine, patient or speaker that the clip is of; "" for none."""
    return Call("PATCH", _path(domain, clip), one(KeptClip), json={"group": group})


def forget(domain: str, clip: str) -> Call[Forgotten]:
    """Its bytes at once; the answer names the versions that still remember it."""
    return Call("DELETE", _path(domain, clip), one(Forgotten))


def _path(domain: str, clip: str) -> str:
    return f"/{domain}/clips/{segment(clip)}"
