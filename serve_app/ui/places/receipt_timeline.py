"""A correction's life as HTML: received, judged, learnt, and what was answered before and after."""

from serve_app.client.answers import PredictionSummary, Receipt
from serve_app.ui.markup import Tone, ago, badge, named, note, percent, text

STATES: dict[str, tuple[str, Tone]] = {
    "accepted": ("The next retrain learns from it.", "good"),
    "quarantined": ("It waits until somebody with a key accepts it.", "warn"),
    "rejected": ("It was not taken.", "bad"),
}


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
    label = named(receipt.label)
    if receipt.predicted == receipt.label:
        return f"{label}{', with another mask' if receipt.mask else ', as answered'}"
    return f"{named(receipt.predicted)} → {label}"


def timeline(line: Receipt) -> str:
    steps = [
        step("Received", f"{ago(line.created)}, as {named(line.label)}", "done"),
        _judged(line),
    ]
    if line.state == "accepted":
        steps.append(_learnt(line))
    return steps_html(steps, before_after(line))


def steps_html(steps: list[str], below: str = "") -> str:
    """`below` is HTML as well."""
    line = f'<ol class="tt-life">{"".join(steps)}</ol>'
    return f'<section class="tt-receipt" role="status">{line}{below}</section>'


def step(title: str, words: str, state: str) -> str:
    """`words` are HTML; `state` is done, now or bad."""
    return f'<li class="tt-{state}"><b>{text(title)}</b><span>{words}</span></li>'


def _judged(line: Receipt) -> str:
    words, tone = STATES[line.state]
    words = "It counts." if line.version else words
    state = {"good": "done", "warn": "now", "bad": "bad"}[tone]
    return step(line.state.capitalize(), text(line.reason or words), state)


def _learnt(line: Receipt) -> str:
    if line.version is None:
        return step("Not learnt yet", text(line.note or "It waits for the next retrain."), "now")
    words = text(line.note or "It is part of the model.")
    return step(f"Learnt in version {line.version}", words, "done")


def before_after(line: Receipt) -> str:
    then = _seen("Before", line.before, line)
    now = "" if line.after is None else _seen("After", line.after, line)
    return f'<div class="tt-pair">{then}{now}</div>'


def _seen(when: str, seen: PredictionSummary, line: Receipt) -> str:
    right = badge("right", "good") if seen.label == line.label else badge("wrong", "bad")
    version = seen.version or line.version
    return (
        f'<div><span class="tt-over">{when}, version {text(version)}</span>'
        f"<b>{named(seen.label)}</b> {percent(seen.confidence)} {right}</div>"
    )
