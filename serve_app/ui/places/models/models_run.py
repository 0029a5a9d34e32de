"""A run as HTML: how far it is, its learning curves, and the gate's verdict in words."""

from collections.abc import Sequence
from typing import Any

from serve_app.client.calls.retrains import ENDED
from serve_app.client.service_answers import Run, RunEvent, RunResult
from serve_app.ui.figures.charts import learning_curve
from serve_app.ui.markup import Tone, ago, badge, note, score, text

NOBODY = (
    '<div class="tt-card tt-empty"><p>Start a retrain and follow it here: each step, the learning '
    "curves, and whether the challenger may serve.</p></div>"
)
MODES = {"teach": "Teach", "full": "Full retrain"}
TONES: dict[str, Tone] = {"succeeded": "good", "failed": "bad", "cancelled": "warn"}


def progress(run: Run, events: Sequence[RunEvent]) -> str:
    state = _state(run, events)
    return (
        f'<section class="tt-card tt-run"><p class="tt-over">{named(run)} '
        f"{badge(state, TONES.get(state, 'calm'))}</p>{_who(run)}{_bar(state, events)}"
        f"{_steps(state, events)}{_curves(events)}{_verdict(run, state, events)}{_cancel(state)}"
        "</section>"
    )


def named(run: Run) -> str:
    words = MODES.get(run.mode, run.mode)
    return f"{words}, dry run" if run.options.get("dry_run") else words


def _cancel(state: str) -> str:
    if state in ENDED:
        return ""
    return (
        '<div class="tt-acts"><button type="button" data-act="cancel" id="cancel">Cancel this run'
        "</button></div>"
    )


def _state(run: Run, events: Sequence[RunEvent]) -> str:
    """The events are newer than the run as it was when following began."""
    for event in reversed(events):
        if event.kind == "finished":
            return str(event.detail.get("state", "succeeded"))
    if run.state in ENDED:
        return run.state
    return "queued" if all(event.kind == "queued" for event in events) else "running"


def _who(run: Run) -> str:
    reason = f"“{text(run.reason)}”, " if run.reason else ""
    by = f" by {text(run.who)}" if run.who else ""
    return f'<p class="tt-small">{reason}ordered {ago(run.created)}{by}</p>'


def _bar(state: str, events: Sequence[RunEvent]) -> str:
    done = max((_share(event.detail) for event in events if event.kind == "step"), default=0.0)
    done = 1.0 if state == "succeeded" else done
    css = "tt-progress" if state in ENDED else "tt-progress tt-busy"
    return (
        f'<div class="{css}" role="progressbar" aria-label="Progress of the retrain" '
        f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{100 * done:.0f}">'
        f'<i style="width:{max(4, 100 * done):.0f}%"></i></div>'
    )


def _share(detail: dict[str, Any]) -> float:
    return min(1.0, max(0.0, float(detail.get("fraction") or 0.0)))


def _steps(state: str, events: Sequence[RunEvent]) -> str:
    """Each step once, in order, with the last thing it said."""
    said: dict[str, str] = {}
    for event in events:
        if event.kind == "step":
            said[str(event.detail.get("step", ""))] = str(event.detail.get("message", ""))
    if not said:
        return note("Waiting for its turn.") if state == "queued" else ""
    last = list(said)[-1]
    ending = {"failed": "bad", "cancelled": "bad", "succeeded": "done"}.get(state, "now")
    items = "".join(
        f'<li class="tt-{ending if step == last else "done"}"><b>{text(step.capitalize())}</b>'
        f"<span>{text(message)}</span></li>"
        for step, message in said.items()
    )
    return f'<ol class="tt-life">{items}</ol>'


def _curves(events: Sequence[RunEvent]) -> str:
    epochs = [event.detail for event in events if event.kind == "epoch"]
    if not epochs:
        return ""
    of = max(int(epochs[-1].get("of") or 0), len(epochs))
    losses = {
        "train": _line(epochs, "train_loss"),
        "validation": _line(epochs, "validation_loss"),
    }
    macro_f1 = {"validation": _line(epochs, "validation_macro_f1")}
    return (
        '<div class="tt-curves">'
        + learning_curve("Loss", {name: line for name, line in losses.items() if line}, of)
        + learning_curve(
            "Macro-F1", {name: line for name, line in macro_f1.items() if line}, of, 1.0
        )
        + "</div>"
    )


def _line(epochs: Sequence[dict[str, Any]], name: str) -> list[float]:
    return [float(epoch[name]) for epoch in epochs if epoch.get(name) is not None]


def _verdict(run: Run, state: str, events: Sequence[RunEvent]) -> str:
    for event in reversed(events):
        if event.kind == "finished" and event.detail.get("result"):
            result = RunResult.model_validate(event.detail["result"])
            return outcome(state, result, (event.at - run.created).total_seconds())
        if event.kind == "verdict":
            return outcome("succeeded", RunResult.model_validate(event.detail))
    return note("Cancelled; the champion stays.", "warn") if state == "cancelled" else ""


def outcome(state: str, result: RunResult, took_s: float | None = None) -> str:
    """`took_s`: from the order to the end, waiting and starting included."""
    if state != "succeeded":
        tone: Tone = "warn" if state == "cancelled" else "bad"
        return note(f"{result.message or f'The run {state}'}. The champion stays.", tone)
    if result.dry_run:
        lines = "".join(f"<li>{text(line)}</li>" for line in result.dry_run)
        return f'<div class="tt-verdict tt-calm" role="status"><ul>{lines}</ul></div>'
    if not result.promoted and result.version is None:
        return note(result.message or "There was nothing to learn. The champion stays.", "warn")
    tone = "good" if result.promoted else "warn"
    number = f"version {result.version}" if result.version else "the challenger"
    title = f"Promoted: {number} serves." if result.promoted else f"Refused: {number} stays out."
    reasons = "".join(f"<li>{text(reason)}</li>" for reason in result.reasons)
    return (
        f'<div class="tt-verdict tt-{tone}" role="status"><b>{text(title)}</b>'
        f"<ul>{reasons}</ul>{_duel(result)}{_took(result, took_s)}</div>"
    )


def _duel(result: RunResult) -> str:
    if not result.champion or not result.challenger:
        return ""
    before, after = result.champion.get("macro_f1"), result.challenger.get("macro_f1")
    return (
        '<p class="tt-duel">Macro-F1 on the exam: '
        f"champion <b>{score(before)}</b>, challenger <b>{score(after)}</b></p>"
    )


def _took(result: RunResult, took_s: float | None) -> str:
    steps = ", ".join(f"{text(step)} {seconds:.1f} s" for step, seconds in result.seconds.items())
    whole = "" if took_s is None else f"{took_s:.0f} s from the order to the end"
    said = ", of which ".join(part for part in (whole, steps) if part)
    return f'<p class="tt-small">{said}</p>' if said else ""
