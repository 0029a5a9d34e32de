"""The review desk as HTML: a narrow queue, what is said of one clip, and what can be decided."""

from collections.abc import Sequence

from serve_app.client.answers import (
    ClipFlag,
    DomainInfo,
    Forgotten,
    KeptClip,
    Prediction,
    Receipt,
)
from serve_app.client.calls.teaching import LISTED
from serve_app.ui.markup import Tone, ago, badge, note, percent, short, text
from serve_app.ui.places.teach.teach_unsure import Unsure

TONES: dict[str, Tone] = {"accepted": "good", "quarantined": "warn", "rejected": "bad"}
FLAGS = {
    "exam_copy": "copy of an exam clip",
    "label_conflict": "two labels",
    "mask": "mask in doubt",
    "copy": "copy",
    "unreadable": "unreadable",
    "silent": "silent",
    "clipped": "clipped",
    "low_rate": "low rate",
    "label": "label in doubt",
    "harm": "held back by a teach",
}
LISTS = {"waiting": "Waiting", "doubted": "Doubted", "unsure": "Unsure", "done": "Done"}
EMPTY = {
    "waiting": "No clip waits for a decision.",
    "doubted": "No check has anything to say.",
    "unsure": "No answer is kept that somebody should be asked about.",
    "done": "Nothing has been decided yet.",
}
KEPT = {
    "sample": "Kept by chance",
    "unsure": "Kept since the answer was not sure",
    "unknown": "Kept since it was unknown",
}
KEYS = 9  # as many labels have one


def queue(
    which: str, found: Sequence[KeptClip], at: str, decided: int, unsure: bool = False
) -> str:
    """`unsure`: whether the domain keeps answers that people may be asked about."""
    tabs = "".join(
        f'<button type="button" data-act="list" data-which="{name}" '
        f'aria-pressed="{str(name == which).lower()}">{words}</button>'
        for name, words in LISTS.items()
        if unsure or name != "unsure"
    )
    rows = "".join(_row(row, row.clip == at) for row in found)
    listed = f'<ol class="tt-queue">{rows}</ol>' if rows else note(EMPTY[which])
    return (
        f'<div class="tt-switch" role="group" aria-label="Which clips">{tabs}</div>'
        f'<p class="tt-small" id="tally" role="status">{_tally(len(found), decided)}</p>{listed}'
    )


def _tally(left: int, decided: int) -> str:
    more = " or more" if left >= LISTED else ""
    return f"{left}{more} left, {decided} done"


def _row(row: KeptClip, shown: bool) -> str:
    current = ' aria-current="true"' if shown else ""
    doubt = ""
    if row.model and row.model.label != row.label:
        doubt = f"<em>model: {text(row.model.label)}</em>"
    elif row.flags:
        doubt = f"<em>{text(FLAGS.get(row.flags[0].kind, row.flags[0].kind))}</em>"
    elif row.state == "rejected":
        doubt = "<em>rejected</em>"
    return (
        f'<li><button type="button" data-act="show" data-clip="{row.clip}"{current}>'
        f"<b>{text(row.label or 'no label')}</b> <code>{row.clip[:8]}</code>{doubt}</button></li>"
    )


def others(clip: KeptClip) -> list[Receipt]:
    """The corrections that wait and say something else than the clip itself."""
    return [said for said in clip.waiting if (said.label, said.mask) != (clip.label, clip.mask)]


def masked(clip: KeptClip) -> list[Receipt]:
    return [said for said in others(clip) if said.mask]


def seen(clip: KeptClip, inside: str) -> str:
    """What is seen of a clip, which scripts know by its digest."""
    return f'<div data-clip="{clip.clip}">{inside}</div>'


def views(clip: KeptClip, found: Prediction | None) -> str:
    """What the clip was sent as, beside what the model that serves says of it; and all doubts."""
    waits = "".join(note(f"A correction waits: {said.label}.", "warn") for said in others(clip))
    flags = "".join(map(_flag, clip.flags))
    sent = f'<span class="tt-over">Sent as</span> <b>{text(clip.label or "no label")}</b>'
    if isinstance(clip, Unsure):
        sent = "Nobody has said yet what it is."
    return (
        f'<div class="tt-pair" id="views"><div>{sent}</div><div>{_model(clip, found)}</div></div>'
        f"{waits}{flags}"
    )


def _model(clip: KeptClip, found: Prediction | None) -> str:
    if found is None:
        return "The model's own view cannot be had right now."
    agrees = not found.unknown and found.label == clip.label
    mark = badge("agrees", "good") if agrees else badge("disagrees", "warn")
    said = f"<b>{text(found.label)}</b>, {percent(found.confidence)} {mark if clip.label else ''}"
    if found.unknown:
        said = f"<b>Unknown</b>, unlike what it has learnt; the nearest is {text(found.label)}"
    version = text(found.model.version)
    return f'<span class="tt-over">The model, version {version}</span> {said}'


def _flag(flag: ClipFlag) -> str:
    kind = badge(FLAGS.get(flag.kind, flag.kind), "warn")
    return f'<p class="tt-flag">{kind} {text(flag.reason)}</p>'


def same(one: KeptClip, other: KeptClip) -> bool:
    return (one.label, one.mask, one.state) == (other.label, other.mask, other.state)


def unchanged(now: KeptClip, before: KeptClip) -> bool:
    """In all that a review may change."""
    more = (now.reason, now.flags, now.waiting) == (before.reason, before.flags, before.waiting)
    return more and same(now, before)


def labels(domain: DomainInfo, clip: KeptClip) -> list[tuple[str, str]]:
    """What a decision may call it, with the words for it: a photograph what it is called, that
    nothing is in it, or what a correction says (by its receipt), since anything else would need
    another mask."""
    if domain.modality == "audio":
        return [(label, label) for label in domain.labels]
    drawn = enumerate(masked(clip), 1)
    return [
        *((label, label) for label in domain.labels if label in (domain.labels[0], clip.label)),
        *((f"{said.label}, as correction {n} marks it", said.receipt) for n, said in drawn),
    ]


def decision(domain: DomainInfo | None, clip: KeptClip | None, told: str, decided: int) -> str:
    """No label is chosen beforehand: what somebody sent would else be accepted by a click that
    passes over it. `told` has a place of its own, so that what was typed stays in its field."""
    undo = _button("undo", "Undo", "U", "" if decided else "disabled")
    if domain is None or clip is None:
        return f'<form><div>{told}</div><div class="tt-acts">{undo}</div></form>'
    chips = "".join(
        f'<label><input type="radio" name="label" value="{text(value)}">'
        f"<span>{f'<kbd>{n}</kbd> ' if n <= KEYS else ''}{text(words)}</span></label>"
        for n, (words, value) in enumerate(labels(domain, clip), 1)
    )
    why = reject = ""
    if not isinstance(clip, Unsure):  # of which nobody has said anything that could be rejected
        reject = _button("reject", "Reject", "X", "data-decides")
        why = (
            '<label class="tt-why">Why not, if you reject it<input name="reason" maxlength="500" '
            'id="why-not"></label>'
        )
    return (
        f'<form data-clip="{clip.clip}" autocomplete="off"><div>{told}</div>'
        f'<fieldset class="tt-chips"><legend>It is</legend>{chips}</fieldset>'
        f'{why}<div class="tt-acts">'
        f"{_button('accept', 'Accept', 'Enter', 'data-decides class=tt-main')}{reject}{undo}"
        f"{_button('previous', 'Back', 'K')}{_button('next', 'Next', 'J')}</div>"
        f"{_facts(clip)}{_forget(clip)}</form>"
    )


def _button(act: str, words: str, key: str, more: str = "") -> str:
    return (
        f'<button type="button" data-act="{act}" id="{act}" {more}>{words} <kbd>{key}</kbd>'
        "</button>"
    )


def _facts(clip: KeptClip) -> str:
    if isinstance(clip, Unsure):
        return f'<p class="tt-small">{KEPT[clip.why]}; {short(clip.clip)}, {ago(clip.created)}</p>'
    reason = f": {text(clip.reason)}" if clip.reason else ""
    return (
        f'<p class="tt-small">{badge(clip.state, TONES[clip.state])}{reason} {short(clip.clip)}, '
        f"from {text(clip.who or 'nobody known')}, {ago(clip.created)}</p>"
    )


def _forget(clip: KeptClip) -> str:
    if not clip.may_forget:
        return ""
    return (
        '<details class="tt-more"><summary>Forget this clip</summary><p>It is deleted with its '
        "bytes, and versions that have learnt it are named. This cannot be undone.</p>"
        '<button type="button" data-act="forget" data-decides id="forget">Yes, forget it</button>'
        "</details>"
    )


def decided(clip: KeptClip) -> str:
    if clip.state == "accepted":
        return note(f"Clip {clip.clip[:8]} counts as {clip.label} at the next retrain.", "good")
    return note(f"Clip {clip.clip[:8]} is {clip.state} and will not be learnt from.", "warn")


def forgotten(gone: Forgotten) -> str:
    held = ", ".join(gone.versions) or "none"
    message = gone.message[:1].upper() + gone.message[1:]
    return note(f"Clip {gone.clip[:8]} is forgotten. Versions that hold it: {held}. {message}")
