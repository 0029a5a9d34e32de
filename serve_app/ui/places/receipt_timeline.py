"""A receipt as a timeline: received, reviewed, learnt, and the predictions before and after."""

from serve_app.client.answers import PredictionSummary, Receipt
from serve_app.ui.markup import Tone, ago, badge, named, note, percent, text
from serve_app.ui.words.translate import mark, t, told

STATES: dict[str, tuple[str, Tone]] = {
    "accepted": (mark("The next retrain learns from it."), "good"),
    "quarantined": (mark("It waits until somebody with a key accepts it."), "warn"),
    "rejected": (mark("It was not taken."), "bad"),
}
# What a clip, and what is said of it, is called where that stands alone.
NAMED = (mark("accepted"), mark("quarantined"), mark("rejected"))


def thanks(receipt: Receipt) -> str:
    words, tone = STATES[receipt.state]
    said = [t("Thank you."), t(words)]
    if receipt.state == "rejected" and receipt.reason:
        said.append(told(receipt.reason))
    return (
        f'<div class="tt-receipt">{note(" ".join(said), tone)}'
        f'<p class="tt-small">{number_of(receipt)} · {changed(receipt)}</p></div>'
    )


def number_of(receipt: Receipt) -> str:
    return f"{t('Receipt')} <code>{text(receipt.receipt)}</code>"


def changed(receipt: Receipt) -> str:
    """Of a photograph the label may be right and the mask not."""
    label = named(receipt.label)
    if receipt.predicted == receipt.label:
        how = t("with another mask") if receipt.mask else t("as answered")
        return f"{label}, {how}"
    return f"{named(receipt.predicted)} → {label}"


def timeline(line: Receipt) -> str:
    steps = [
        received(line),
        _judged(line),
    ]
    if line.state == "accepted":
        steps.append(_learnt(line))
    return steps_html(steps, before_after(line))


def received(line: Receipt) -> str:
    said = t("{ago}, as {label}", ago=ago(line.created), label=named(line.label))
    return step(t("Received"), said, "done")


def steps_html(steps: list[str], below: str = "") -> str:
    """`below` is HTML as well."""
    line = f'<ol class="tt-life">{"".join(steps)}</ol>'
    return f'<section class="tt-receipt" role="status">{line}{below}</section>'


def step(title: str, words: str, state: str) -> str:
    """`words` are HTML; `state` is done, now or bad."""
    return f'<li class="tt-{state}"><b>{text(title)}</b><span>{words}</span></li>'


def _judged(line: Receipt) -> str:
    words, tone = STATES[line.state]
    words = mark("It counts.") if line.version else words
    state = {"good": "done", "warn": "now", "bad": "bad"}[tone]
    said = told(line.reason) if line.reason else t(words)
    return step(t(line.state).capitalize(), text(said), state)


def _learnt(line: Receipt) -> str:
    if line.version is None:
        waits = told(line.note) if line.note else t("It waits for the next retrain.")
        return step(t("Not learnt yet"), text(waits), "now")
    words = told(line.note) if line.note else t("It is part of the model.")
    return step(t("Learnt in version {version}", version=line.version), text(words), "done")


def before_after(line: Receipt) -> str:
    then = _seen(t("Before"), line.before, line)
    now = "" if line.after is None else _seen(t("After"), line.after, line)
    return f'<div class="tt-pair">{then}{now}</div>'


def _seen(when: str, seen: PredictionSummary, line: Receipt) -> str:
    right = badge(t("right"), "good") if seen.label == line.label else badge(t("wrong"), "bad")
    version = t("version {version}", version=seen.version or line.version)
    return (
        f'<div><span class="tt-over">{when}, {text(version)}</span>'
        f"<b>{named(seen.label)}</b> {percent(seen.confidence)} {right}</div>"
    )
