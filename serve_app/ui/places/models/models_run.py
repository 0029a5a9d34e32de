"""A run as HTML: how far it is, its learning curves, and the gate's verdict in words."""

from collections.abc import Sequence
from typing import Any

from serve_app.client.calls.retrains import ENDED
from serve_app.client.service_answers import Run, RunEvent, RunResult
from serve_app.ui.figures.charts import learning_curve
from serve_app.ui.markup import Tone, ago, badge, note, score, text
from serve_app.ui.words.translate import mark, number, t, told

MODES = {"teach": mark("Teaching"), "full": mark("Full retrain")}
TRIGGERS = {
    "person": mark("by a person"),
    "command": mark("by the command line"),
    "new_clips": mark("by new clips"),
    "every_h": mark("by the hours gone by"),
    "schedule": mark("by the schedule"),
    "forgetting": mark("by what is to be forgotten"),
}
TONES: dict[str, Tone] = {"succeeded": "good", "failed": "bad", "cancelled": "warn"}
STATES = (
    mark("queued"),
    mark("running"),
    mark("succeeded"),
    mark("failed"),
    mark("cancelled"),
)
STEPS = (
    mark("snapshot"),
    mark("screen"),
    mark("decode"),
    mark("train"),
    mark("teach"),
    mark("pack"),
    mark("gate"),
    mark("suspects"),
    mark("register"),
)


def nobody() -> str:
    said = t("A run is followed here, up to whether its model may serve.")
    return f'<div class="tt-card tt-empty"><p>{said}</p></div>'


def progress(run: Run, events: Sequence[RunEvent]) -> str:
    state = _state(run, events)
    return (
        f'<section class="tt-card tt-run"><p class="tt-over">{named(run)} '
        f"{state_badge(state)}</p>{_who(run)}{_bar(state, events)}"
        f"{_steps(state, events)}{_curves(events)}{_verdict(run, state, events)}{_cancel(state)}"
        "</section>"
    )


def state_badge(state: str) -> str:
    return badge(t(state), TONES.get(state, "calm"))


def named(run: Run) -> str:
    words = t(MODES.get(run.mode, run.mode))
    return t("{run}, dry run", run=words) if run.options.get("dry_run") else words


def started(run: Run) -> str:
    """What started it; of older runs that is not known."""
    return t(TRIGGERS[run.trigger]) if run.trigger in TRIGGERS else ""


def _cancel(state: str) -> str:
    if state in ENDED:
        return ""
    return (
        '<div class="tt-acts"><button type="button" data-act="cancel" id="cancel">'
        f"{t('Cancel this run')}</button></div>"
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
    reason = f"“{text(told(run.reason))}”" if run.reason else ""
    ordered = (
        t("ordered {ago} by {who}", ago=ago(run.created), who=text(run.who))
        if run.who
        else t("ordered {ago}", ago=ago(run.created))
    )
    by = t("started {by}", by=started(run)) if started(run) else ""
    return f'<p class="tt-small">{", ".join(filter(None, [reason, ordered, by]))}</p>'


def _bar(state: str, events: Sequence[RunEvent]) -> str:
    done = max((_share(event.detail) for event in events if event.kind == "step"), default=0.0)
    done = 1.0 if state == "succeeded" else done
    css = "tt-progress" if state in ENDED else "tt-progress tt-busy"
    return (
        f'<div class="{css}" role="progressbar" aria-label="{t("Progress of the retrain")}" '
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
        return note(t("Waiting for its turn.")) if state == "queued" else ""
    last = list(said)[-1]
    ending = {"failed": "bad", "cancelled": "bad", "succeeded": "done"}.get(state, "now")
    items = "".join(
        f'<li class="tt-{ending if step == last else "done"}">'
        f"<b>{text(t(step).capitalize())}</b><span>{text(told(message))}</span></li>"
        for step, message in said.items()
    )
    return f'<ol class="tt-life">{items}</ol>'


def _curves(events: Sequence[RunEvent]) -> str:
    epochs = [event.detail for event in events if event.kind == "epoch"]
    if not epochs:
        return ""
    of = max(int(epochs[-1].get("of") or 0), len(epochs))
    losses = {
        t("training"): _line(epochs, "train_loss"),
        t("validation"): _line(epochs, "validation_loss"),
    }
    macro_f1 = {t("validation"): _line(epochs, "validation_macro_f1")}
    return (
        '<div class="tt-curves">'
        + learning_curve(t("Loss"), {name: line for name, line in losses.items() if line}, of)
        + learning_curve(
            t("Macro-F1"), {name: line for name, line in macro_f1.items() if line}, of, 1.0
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
    return note(t("Cancelled; the champion stays."), "warn") if state == "cancelled" else ""


def outcome(state: str, result: RunResult, took_s: float | None = None) -> str:
    """`took_s`: from the order to the end, waiting and starting included."""
    if state != "succeeded":
        tone: Tone = "warn" if state == "cancelled" else "bad"
        said = t("The run was cancelled") if state == "cancelled" else t("The run failed")
        said = told(result.message) if result.message else said
        return note(f"{said}. {t('The champion stays.')}", tone)
    if result.dry_run:
        lines = "".join(f"<li>{text(told(line))}</li>" for line in result.dry_run)
        return f'<div class="tt-verdict tt-calm" role="status"><ul>{lines}</ul></div>'
    if not result.promoted and result.version is None:
        nothing = t("There was nothing to learn. The champion stays.")
        return note(told(result.message) if result.message else nothing, "warn")
    tone = "good" if result.promoted else "warn"
    which = t("the challenger")
    if result.version:
        which = t("version {version}", version=result.version)
    title = (
        t("Promoted: {which} serves.", which=which)
        if result.promoted
        else t("Refused: {which} stays out.", which=which)
    )
    reasons = "".join(f"<li>{text(told(reason))}</li>" for reason in result.reasons)
    return (
        f'<div class="tt-verdict tt-{tone}" role="status"><b>{text(title)}</b>'
        f"<ul>{reasons}</ul>{_duel(result)}{_took(result, took_s)}</div>"
    )


def _duel(result: RunResult) -> str:
    if not result.champion or not result.challenger:
        return ""
    before, after = result.champion.get("macro_f1"), result.challenger.get("macro_f1")
    said = t(
        "Macro-F1 on the exam: champion <b>{before}</b>, challenger <b>{after}</b>",
        before=score(before),
        after=score(after),
    )
    return f'<p class="tt-duel">{said}</p>'


def _took(result: RunResult, took_s: float | None) -> str:
    steps = ", ".join(
        f"{text(t(step))} {number(seconds, '.1f')} s" for step, seconds in result.seconds.items()
    )
    if took_s is None:
        return f'<p class="tt-small">{steps}</p>' if steps else ""
    said = t("{seconds:.0f} s from the order to the end", seconds=took_s)
    said += t(", of which {steps}", steps=steps) if steps else ""
    return f'<p class="tt-small">{said}</p>'
