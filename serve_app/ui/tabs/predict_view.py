"""What the Predict tab says: an answer, a receipt and a receipt's life line, as HTML."""

from serve_app.client.answers import ClipInfo, DomainInfo, Prediction, PredictionSummary, Receipt
from serve_app.ui.markup import Tone, ago, badge, bar, note, percent, short, text

EMPTY = (
    '<div class="tt-card tt-empty"><p>Give a clip, and the answer appears here: '
    "what it is, how sure that is, and where in it the evidence lies.</p></div>"
)
LISTENING = '<div class="tt-card tt-empty" role="status"><p class="tt-pulse">Listening…</p></div>'

STATES: dict[str, tuple[str, Tone]] = {
    "accepted": ("The next retrain learns from it.", "good"),
    "quarantined": ("It waits until somebody with a key accepts it.", "warn"),
    "rejected": ("It was not taken.", "bad"),
}


def answer(found: Prediction) -> str:
    return (
        f'<section class="tt-card tt-answer" role="status">{_verdict(found)}'
        f"{_measure(found)}{_probabilities(found)}{_warnings(found)}{_disclaimer(found)}"
        f"{_facts(found)}</section>"
    )


def choices(domain: DomainInfo, found: Prediction) -> list[str]:
    """What a correction may say without drawing: of a photograph, that there is nothing in it."""
    labels = domain.labels[:1] if domain.modality == "image" else domain.labels
    return [label for label in labels if found.unknown or label != found.label]


def failure(message: str) -> str:
    return (
        '<section class="tt-card tt-answer" role="alert"><p class="tt-over">No answer</p>'
        f'<p class="tt-sentence">{text(message)}</p></section>'
    )


def _verdict(found: Prediction) -> str:
    share = percent(found.confidence)
    if found.unknown:
        return (
            '<p class="tt-over">The answer</p><p class="tt-label tt-unknown">Unknown</p>'
            f'<p class="tt-sentence">{_why_unknown(found)} '
            f"The nearest is <b>{text(found.label)}</b>, with {share}; teach it what it is.</p>"
        )
    return (
        f'<p class="tt-over">The answer</p><p class="tt-label">{text(found.label)}</p>'
        f'<p class="tt-sentence">{sureness(found)}: <b>{share}</b></p>{_caution(found)}'
    )


def _why_unknown(found: Prediction) -> str:
    reason = found.unknown_reason or "unlike anything learnt"
    return f"This is {text(reason)}."


def _caution(found: Prediction) -> str:
    """Where the answer is not one to rely on; nothing of models that do not know."""
    if found.asserted is not False:
        return ""
    return (
        '<p class="tt-small">A hint only: more than one in five answers as sure as this one are '
        "wrong.</p>"
    )


def sureness(found: Prediction) -> str:
    """No big words of an answer that is not to be relied on."""
    for floor, words in ((0.95, "Almost certain"), (0.8, "Confident"), (0.6, "Fairly sure")):
        if found.confidence >= floor:
            return words if found.asserted is not False else "Probably"
    return "No more than a guess"


def _measure(found: Prediction) -> str:
    """Of what is marked in a photograph; nothing where nothing is."""
    measure = found.measure
    if measure is None or measure.area_percent == 0:
        return ""
    return (
        f'<p class="tt-sentence">It covers <b>{measure.area_percent:.2f} %</b> of the photograph, '
        f"is <b>{measure.length_px:.0f} px</b> long and "
        f"<b>{measure.mean_width_px:.1f} px</b> wide in the mean.</p>"
    )


def _probabilities(found: Prediction) -> str:
    rows = "".join(
        f"<li><span>{text(label)}</span>{bar(share, 'tt-lead' if label == found.label else '')}"
        f"<b>{percent(share)}</b></li>"
        for label, share in found.probabilities.items()
    )
    return f'<ul class="tt-shares" aria-label="Probability of each label">{rows}</ul>'


def _warnings(found: Prediction) -> str:
    sentences = (f"{words[:1].upper()}{words[1:]}." for words in found.clip.warnings)
    return "".join(note(sentence, "warn") for sentence in sentences)


def _disclaimer(found: Prediction) -> str:
    return note(found.disclaimer, "warn") if found.disclaimer else ""


def _facts(found: Prediction) -> str:
    timings = found.timings_ms
    parts = [
        *_clip_facts(found.clip),
        f"version {text(found.model.version)} {short(found.model.digest)}",
        f"answered in {timings.get('total', 0):.0f} ms",
    ]
    detail = ", ".join(f"{name} {ms:.1f} ms" for name, ms in timings.items() if name != "total")
    return f'<p class="tt-small" title="{text(detail)}">{" · ".join(parts)}</p>'


def _clip_facts(clip: ClipInfo) -> list[str]:
    if clip.width_px:
        return [f"{clip.width_px} × {clip.height_px} px {text(clip.container)}"]
    return [
        f"{clip.duration_s:.1f} s {text(clip.container)}",
        f"{clip.sample_rate_hz / 1000:g} kHz",
    ]


def thanks(receipt: Receipt) -> str:
    words, tone = STATES[receipt.state]
    reason = f" {receipt.reason}" if receipt.state == "rejected" and receipt.reason else ""
    return (
        f'<div class="tt-receipt">{note(f"Thank you. {words}{reason}", tone)}'
        f'<p class="tt-small">Receipt <code>{text(receipt.receipt)}</code> · '
        f"{_changed(receipt)}</p></div>"
    )


def _changed(receipt: Receipt) -> str:
    """Of a photograph the label may be right and the mask not."""
    if receipt.predicted == receipt.label:
        return f"{text(receipt.label)}{', with another mask' if receipt.mask else ', as answered'}"
    return f"{text(receipt.predicted)} → {text(receipt.label)}"


def life_line(line: Receipt) -> str:
    steps = [_step("Received", f"{ago(line.created)}, as {text(line.label)}", "done")]
    steps.append(_judged(line))
    if line.state == "accepted":
        steps.append(_learnt(line))
    return (
        f'<section class="tt-receipt" role="status"><ol class="tt-life">{"".join(steps)}</ol>'
        f"{_before_after(line)}</section>"
    )


def _judged(line: Receipt) -> str:
    words, tone = STATES[line.state]
    words = "It counts." if line.version else words
    state = {"good": "done", "warn": "now", "bad": "bad"}[tone]
    return _step(line.state.capitalize(), text(line.reason or words), state)


def _learnt(line: Receipt) -> str:
    if line.version is None:
        return _step("Not learnt yet", text(line.note or "It waits for the next retrain."), "now")
    words = text(line.note or "It is part of the model.")
    return _step(f"Learnt in version {text(line.version)}", words, "done")


def _step(title: str, words: str, state: str) -> str:
    return f'<li class="tt-{state}"><b>{title}</b><span>{words}</span></li>'


def _before_after(line: Receipt) -> str:
    then = _seen("Before", line.before, line)
    if line.after is None:
        return f'<div class="tt-pair">{then}</div>'
    return f'<div class="tt-pair">{then}{_seen("After", line.after, line)}</div>'


def _seen(when: str, seen: PredictionSummary, line: Receipt) -> str:
    right = badge("right", "good") if seen.label == line.label else badge("wrong", "bad")
    version = seen.version or line.version
    return (
        f'<div><span class="tt-over">{when}, version {text(version)}</span>'
        f"<b>{text(seen.label)}</b> {percent(seen.confidence)} {right}</div>"
    )
