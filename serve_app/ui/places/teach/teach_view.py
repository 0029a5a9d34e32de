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
from serve_app.ui.markup import Tone, ago, badge, named, note, percent, plain, short, text
from serve_app.ui.places.teach.teach_unsure import Unsure
from serve_app.ui.words.translate import mark, plural, t, told

TONES: dict[str, Tone] = {"accepted": "good", "quarantined": "warn", "rejected": "bad"}
FLAGS = {
    "exam_copy": mark("copy of an exam clip"),
    "label_conflict": mark("two labels"),
    "mask": mark("mask in doubt"),
    "copy": mark("copy"),
    "unreadable": mark("unreadable"),
    "silent": mark("silent"),
    "clipped": mark("clipped"),
    "low_rate": mark("low rate"),
    "label": mark("label in doubt"),
    "harm": mark("held back by a teach"),
}
LISTS = {
    "waiting": mark("Waiting"),
    "doubted": mark("Doubted"),
    "done": mark("Done"),
}
EMPTY = {
    "waiting": mark("No clip waits for a decision."),
    "doubted": mark("No check has anything to say."),
    "done": mark("Nothing has been decided yet."),
}
KEPT = {
    "sample": mark("Kept by chance"),
    "unsure": mark("Kept since the answer was not sure"),
    "unknown": mark("Kept since it was unknown"),
}
KEYS = 9  # as many labels have one


def queue(which: str, found: Sequence[KeptClip], at: str, decided: int) -> str:
    tabs = "".join(
        f'<button type="button" data-act="list" data-which="{name}" '
        f'aria-pressed="{str(name == which).lower()}">{t(words)}</button>'
        for name, words in LISTS.items()
    )
    rows = "".join(_row(row, row.clip == at) for row in found)
    listed = f'<ol class="tt-queue">{rows}</ol>' if rows else note(t(EMPTY[which]))
    tally = _tally(which, len(found), decided)
    return (
        f'<div class="tt-switch" role="group" aria-label="{t("Which clips")}">{tabs}</div>'
        f'<p class="tt-small" id="tally" role="status">{tally}</p>{listed}'
    )


def _tally(which: str, left: int, decided: int) -> str:
    if which == "done":
        return plural("{count} clip", "{count} clips", left)
    if left >= LISTED:
        return t("{left} or more left, {decided} done", left=left, decided=decided)
    return t("{left} left, {decided} done", left=left, decided=decided)


def _row(row: KeptClip, shown: bool) -> str:
    current = ' aria-current="true"' if shown else ""
    doubt = ""
    if row.model and row.model.label != row.label:
        doubt = f"<em>{t('model: {label}', label=named(row.model.label))}</em>"
    elif row.flags:
        doubt = f"<em>{text(flag_name(row.flags[0]))}</em>"
    elif row.state == "rejected":
        doubt = f"<em>{t('rejected')}</em>"
    return (
        f'<li><button type="button" data-act="show" data-clip="{row.clip}"{current}>'
        f"<b>{named(row.label or t('no label'))}</b> <code>{row.clip[:8]}</code>{doubt}</button>"
        "</li>"
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
    waits = "".join(
        note(t("A correction waits: {label}.", label=plain(said.label)), "warn")
        for said in others(clip)
    )
    flags = "".join(map(_flag, clip.flags))
    label = named(clip.label or t("no label"))
    sent = f'<span class="tt-over">{t("Sent as")}</span> <b>{label}</b>'
    if isinstance(clip, Unsure):
        sent = t("Nobody has said yet what it is.")
    return (
        f'<div class="tt-pair" id="views"><div>{sent}</div><div>{_model(clip, found)}</div></div>'
        f"{waits}{flags}"
    )


def _model(clip: KeptClip, found: Prediction | None) -> str:
    if found is None:
        return t("The model's own view cannot be had right now.")
    agrees = not found.unknown and found.label == clip.label
    mark = badge(t("agrees"), "good") if agrees else badge(t("disagrees"), "warn")
    said = f"<b>{named(found.label)}</b>, {percent(found.confidence)} {mark if clip.label else ''}"
    if found.unknown:
        said = t(
            "<b>Unknown</b>, unlike what it has learnt; the nearest is {label}",
            label=named(found.label),
        )
    over = t("The model, version {version}", version=text(found.model.version))
    return f'<span class="tt-over">{over}</span> {said}'


def _flag(flag: ClipFlag) -> str:
    return f'<p class="tt-flag">{badge(flag_name(flag), "warn")} {text(told(flag.reason))}</p>'


def flag_name(flag: ClipFlag) -> str:
    return t(FLAGS.get(flag.kind, flag.kind))


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
        return [(plain(label), label) for label in domain.labels]
    drawn = enumerate(masked(clip), 1)
    return [
        *(
            (plain(label), label)
            for label in domain.labels
            if label in (domain.labels[0], clip.label)
        ),
        *(
            (
                t("{label}, as correction {number} marks it", label=plain(said.label), number=n),
                said.receipt,
            )
            for n, said in drawn
        ),
    ]


def decision(domain: DomainInfo | None, clip: KeptClip | None, told: str, decided: int) -> str:
    """No label is chosen beforehand: what somebody sent would else be accepted by a click that
    passes over it. `told` has a place of its own, so that what was typed stays in its field."""
    undo = _button("undo", t("Undo"), "U", "" if decided else "disabled")
    if domain is None or clip is None:
        return f'<form><div>{told}</div><div class="tt-acts">{undo}</div></form>'
    chips = "".join(
        f'<label><input type="radio" name="label" value="{text(value)}">'
        f"<span>{f'<kbd>{n}</kbd> ' if n <= KEYS else ''}{text(words)}</span></label>"
        for n, (words, value) in enumerate(labels(domain, clip), 1)
    )
    why = reject = ""
    if not isinstance(clip, Unsure):  # of which nobody has said anything that could be rejected
        reject = _button("reject", t("Reject"), "X", "data-decides")
        why = (
            f'<label class="tt-why">{t("Why not, if you reject it")}'
            '<input name="reason" maxlength="500" id="why-not"></label>'
        )
    return (
        f'<form data-clip="{clip.clip}" autocomplete="off"><div>{told}</div>'
        f'<fieldset class="tt-chips"><legend>{t("It is")}</legend>{chips}</fieldset>'
        f'{why}<div class="tt-acts">'
        f"{_button('accept', t('Accept'), t('Enter'), 'data-decides class=tt-main')}{reject}{undo}"
        f"{_button('previous', t('Back'), 'K')}{_button('next', t('Next'), 'J')}</div>"
        f"{_facts(clip)}{_forget(clip)}</form>"
    )


def _button(act: str, words: str, key: str, more: str = "") -> str:
    return (
        f'<button type="button" data-act="{act}" id="{act}" {more}>{words} <kbd>{key}</kbd>'
        "</button>"
    )


def _facts(clip: KeptClip) -> str:
    if isinstance(clip, Unsure):
        return (
            f'<p class="tt-small">{t(KEPT[clip.why])}; {short(clip.clip)}, {ago(clip.created)}</p>'
        )
    reason = f"{text(told(clip.reason))} · " if clip.reason else ""
    sender = t("from {who}", who=text(clip.who)) if clip.who else t("from nobody known")
    return (
        f'<p class="tt-small">{badge(t(clip.state), TONES[clip.state])} {reason}'
        f"{short(clip.clip)}, {sender}, {ago(clip.created)}</p>"
    )


def _forget(clip: KeptClip) -> str:
    if not clip.may_forget:
        return ""
    then = t("It is deleted for good. You are told which versions have learnt it.")
    return (
        f'<details class="tt-more"><summary>{t("Forget this clip")}</summary><p>{then}</p>'
        '<button type="button" data-act="forget" data-decides id="forget">'
        f"{t('Yes, forget it')}</button></details>"
    )


def decided(clip: KeptClip) -> str:
    if clip.state == "accepted":
        return counts(clip, clip.label or "")
    if clip.state == "rejected":
        said = t("Clip {clip} is rejected and will not be learnt from.", clip=clip.clip[:8])
    else:
        said = t("Clip {clip} is quarantined and will not be learnt from.", clip=clip.clip[:8])
    return note(said, "warn")


def counts(clip: KeptClip, label: str) -> str:
    said = t(
        "Clip {clip} counts as {label} at the next retrain.",
        clip=clip.clip[:8],
        label=plain(label),
    )
    return note(said, "good")


def undone(clip: KeptClip) -> str:
    return note(
        t(
            "Undone: clip {clip} is {state} as {label} again.",
            clip=clip.clip[:8],
            state=t(clip.state),
            label=plain(clip.label or t("nothing")),
        )
    )


def forgotten(gone: Forgotten) -> str:
    said = t(
        "Clip {clip} is forgotten. Versions that hold it: {versions}.",
        clip=gone.clip[:8],
        versions=", ".join(gone.versions) or t("none"),
    )
    message = told(gone.message)
    return note(f"{said} {message[:1].upper()}{message[1:]}")
