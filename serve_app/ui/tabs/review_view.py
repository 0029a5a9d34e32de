"""The Review tab's table: kept clips, and what checks have to say of them."""

from collections.abc import Sequence

from serve_app.client.answers import ClipFlag, DomainInfo, KeptClip, Prediction, Receipt
from serve_app.client.calls.teaching import LISTED
from serve_app.ui.markup import Tone, ago, badge, note, percent, short, table, text

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


def clips(found: Sequence[KeptClip], empty: str) -> str:
    rows = [
        [
            short(row.clip),
            text(row.label or "–") + "".join(map(_correction, others(row))),
            badge(row.state, TONES[row.state]),
            "".join(map(_flag, row.flags)) or "–",
            text(row.who or "–"),
            ago(row.created),
        ]
        for row in found
    ]
    headers = ["Clip", "Label", "State", "What checks say", "From", "Sent"]
    full = note(f"The first {LISTED} are listed.") if len(found) == LISTED else ""
    return table(headers, rows, empty) + full


def others(clip: KeptClip) -> list[Receipt]:
    """The corrections that wait and say something else than the clip itself."""
    return [said for said in clip.waiting if (said.label, said.mask) != (clip.label, clip.mask)]


def _correction(said: Receipt) -> str:
    return f'<span class="tt-flag">{badge("correction waits", "warn")} {text(said.label)}</span>'


def _flag(flag: ClipFlag) -> str:
    kind = badge(FLAGS.get(flag.kind, flag.kind), "warn")
    return f'<span class="tt-flag">{kind} {text(flag.reason)}</span>'


def choices(found: Sequence[KeptClip]) -> list[tuple[str, str]]:
    return [(f"{row.clip[:8]}, {row.label or 'no label'}", row.clip) for row in found]


def named(clip: KeptClip) -> str:
    """Above what is heard or seen: which one that is, and what else is said of it."""
    said = "".join(note(f"A correction waits: {said.label}.", "warn") for said in others(clip))
    return f'<p class="tt-small">{short(clip.clip)} {text(clip.label or "no label")}</p>{said}'


def both_views(clip: KeptClip, found: Prediction | None) -> str:
    """What the clip was sent as, beside what the model that serves says of it."""
    if found is None:
        return note("The model's own view cannot be had right now.", "warn")
    agrees = not found.unknown and found.label == clip.label
    mark = badge("agrees", "good") if agrees else badge("disagrees", "warn")
    model = f"<b>{text(found.label)}</b>, {percent(found.confidence)} {mark if clip.label else ''}"
    if found.unknown:
        model = f"<b>Unknown</b>, unlike what it has learnt; the nearest is {text(found.label)}"
    return (
        f'<div class="tt-pair" id="views"><div><span class="tt-over">Sent as</span> '
        f"<b>{text(clip.label or 'no label')}</b></div>"
        f'<div><span class="tt-over">The model, version {text(found.model.version)}</span> '
        f"{model}</div></div>"
    )


def same(one: KeptClip, other: KeptClip) -> bool:
    return (one.label, one.mask, one.state) == (other.label, other.mask, other.state)


def labels(domain: DomainInfo, clip: KeptClip) -> list[str | tuple[str, str]]:
    """What a decision may call it: a photograph what it is called, that nothing is in it, or what a
    correction says (by its receipt), since anything else would need another mask."""
    if domain.modality == "audio":
        return list(domain.labels)
    drawn = enumerate(masked(clip), 1)
    return [
        *(label for label in domain.labels if label in (domain.labels[0], clip.label)),
        *((f"{said.label}, as correction {n} marks it", said.receipt) for n, said in drawn),
    ]


def masked(clip: KeptClip) -> list[Receipt]:
    return [said for said in others(clip) if said.mask]


def decided(clip: KeptClip) -> str:
    if clip.state == "accepted":
        return note(f"Clip {clip.clip[:8]} counts as {clip.label} at the next retrain.", "good")
    return note(f"Clip {clip.clip[:8]} is {clip.state} and will not be learnt from.", "warn")
