"""What people say of clips: corrections with their receipts, and labelled clips."""

from collections.abc import Sequence

from ..answers import Receipt, Receipts, State, Uploads
from ..call import Call, Named, get, one, part, post, raw, segment, texts

LISTED = 100


def correct(
    domain: str,
    clip: bytes,
    label: str,
    *,
    name: str = "clip",
    mask: bytes | None = None,
    group: str = "",
) -> Call[Receipt]:
    """Says which label is right, or with a mask (a PNG) where in a photograph it is; whether that
    counts already is in the receipt's state. `group` is the recording, machine, patient or speaker
    that the clip is of."""
    masks = [("mask", ("mask.png", mask))] if mask is not None else []
    return Call(
        "POST",
        f"/{domain}/feedback",
        one(Receipt),
        files=[("file", (name, clip)), *masks],
        data=texts(label=label, group=group),
    )


def upload(
    domain: str,
    clips: Sequence[Named],
    labels: Sequence[str] = (),
    *,
    groups: Sequence[str] = (),
    masks: Sequence[Named] = (),
) -> Call[Uploads]:
    """Labelled clips (name, bytes), each with its own outcome: one label, or group, for all or one
    a clip. Of photographs masks, which are named like them."""
    parts = [*(("files", clip) for clip in clips), *(("masks", mask) for mask in masks)]
    said = _one_or_each("label", labels) | _one_or_each("group", groups)
    return Call("POST", f"/{domain}/upload", one(Uploads), files=parts, data=said)


def receipt(domain: str, receipt: str) -> Call[Receipt]:
    return get(_path(domain, receipt), one(Receipt))


def corrections(
    domain: str, state: State | None = None, *, offset: int = 0
) -> Call[tuple[Receipt, ...]]:
    """Of everybody, for an admin: LISTED from the oldest on."""
    return _listed(domain, state=state, offset=offset)


def own_receipts(domain: str, *, offset: int = 0) -> Call[tuple[Receipt, ...]]:
    """Of the corrections that were sent with this key, LISTED from the newest on."""
    return _listed(domain, mine=True, offset=offset)


def correction_mask(domain: str, receipt: str) -> Call[bytes]:
    return get(f"{_path(domain, receipt)}/mask", raw)


def accept_correction(domain: str, receipt: str) -> Call[Receipt]:
    return post(f"{_path(domain, receipt)}/accept", one(Receipt))


def reject_correction(domain: str, receipt: str, reason: str) -> Call[Receipt]:
    return post(f"{_path(domain, receipt)}/reject", one(Receipt), reason=reason)


def _listed(domain: str, **asked: object) -> Call[tuple[Receipt, ...]]:
    read = part(Receipts, lambda found: found.feedback)
    return get(f"/{domain}/feedback", read, limit=LISTED, **asked)


def _path(domain: str, receipt: str) -> str:
    return f"/{domain}/feedback/{segment(receipt)}"


def _one_or_each(name: str, texts: Sequence[str]) -> dict[str, str | list[str]]:
    if len(texts) == 1:
        return {name: texts[0]}
    return {f"{name}s": list(texts)} if texts else {}
