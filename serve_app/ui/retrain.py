"""The Retrain tab: order a retrain, follow it live, and decide which version serves."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from data.errors import TelltaleError
from serve_app.answers import Move
from serve_app.client import Client
from serve_app.ui import retrain_view as view
from serve_app.ui.markup import heading, note
from serve_app.ui.run_view import MODES as MODE_NAMES
from serve_app.ui.run_view import NOBODY, progress
from serve_app.ui.shared import QUIET, Shared, html, or_note, words

MODES = [
    ("Teach: learn from corrections in seconds; only the last layer changes", "teach"),
    ("Full: train the whole network anew on all accepted clips; takes minutes", "full"),
]
LOOK_AGAIN_S = 5.0


@dataclass(frozen=True)
class Parts:
    mode: Any
    reason: Any
    start: Any
    cancel: Any
    run_id: Any  # gr.State: the run being followed, "" for none
    run: Any
    replicas: Any
    versions: Any
    version: Any
    promote: Any
    roll_back: Any
    said: Any
    runs: Any
    chosen_run: Any
    show: Any


def build(shared: Shared, tab: Any) -> None:
    with gr.Row(elem_classes="tt-columns"):
        with gr.Column(scale=4, min_width=300):
            mode = gr.Radio(MODES, value="teach", label="Mode", elem_id="mode")
            reason = gr.Textbox(
                label="Reason", placeholder="for those who read the list of runs", max_length=500
            )
            start = gr.Button("Start", variant="primary", elem_id="start")
            cancel = gr.Button("Cancel this run", elem_id="cancel")
        with gr.Column(scale=7, min_width=300):
            run = html(NOBODY, elem_id="run")
    html(heading("Replicas", "what answers right now"))
    replicas = html(elem_id="replicas")
    html(heading("Versions", "a promotion reaches every replica without a pause"))
    versions = html(elem_id="versions")
    said = html(elem_id="said")
    with gr.Row(elem_classes="tt-actions", equal_height=True):
        version = gr.Dropdown(
            label="Version", choices=[], elem_id="version", elem_classes="tt-plain", min_width=160
        )
        promote = gr.Button("Promote", elem_id="promote", min_width=120)
        roll_back = gr.Button("Roll back to the previous", elem_id="roll-back", min_width=200)
    html(heading("Runs"))
    runs = html(elem_id="runs")
    with gr.Row(elem_classes="tt-actions", equal_height=True):
        chosen_run = gr.Dropdown(
            label="Run", choices=[], elem_id="chosen-run", elem_classes="tt-plain", min_width=160
        )
        show = gr.Button("Show this run", elem_id="show", min_width=160)
    parts = Parts(
        mode, reason, start, cancel, gr.State(""), run, replicas, versions, version, promote,
        roll_back, said, runs, chosen_run, show,
    )  # fmt: skip
    _wire(shared, parts, tab)


def _wire(shared: Shared, parts: Parts, tab: Any) -> None:
    who = [shared.domain, shared.key]
    tables = [
        parts.replicas, parts.versions, parts.version, parts.runs, parts.chosen_run, parts.run_id,
    ]  # fmt: skip

    def refresh(domain: str | None, key: str) -> dict[Any, Any]:
        if not domain:
            return {parts.run_id: ""}
        if not key.strip():
            locked = note("Enter an admin's key under “Key” to see and change this.")
            shown = _replicas(shared.client, domain)
            return {parts.versions: locked, parts.runs: locked, parts.replicas: shown}
        return _tables(parts, shared.client.with_key(key), domain)

    def order(mode: Any, reason: str, domain: str, key: str) -> dict[Any, Any]:
        try:
            run = shared.client.with_key(key).retrain(domain, mode, reason)
        except TelltaleError as error:
            return {parts.run_id: "", parts.run: _card(note(words(error), "bad"))}
        return {parts.run_id: run.id, parts.run: progress(run, [])}

    def follow(run_id: str, domain: str, key: str) -> Iterator[str]:
        if run_id:
            yield from _follow(shared.client.with_key(key), domain, run_id)
        else:
            yield gr.skip()

    def cancel(run_id: str, domain: str, key: str) -> None:
        try:
            shared.client.with_key(key).cancel(domain, run_id)
        except TelltaleError as error:
            gr.Warning(words(error))

    def promote(domain: str, key: str, version: str | None) -> str:
        if not version:
            return note("Choose a version first.", "warn")
        return _move(lambda: shared.client.with_key(key).promote(domain, version))

    def roll_back(domain: str, key: str) -> str:
        return _move(lambda: shared.client.with_key(key).roll_back(domain))

    def watch(domain: str | None) -> Any:
        return _replicas(shared.client, domain) if domain else gr.skip()

    watched = ([parts.run_id, *who], parts.run)
    ordered = parts.start.click(
        order, [parts.mode, parts.reason, *who], [parts.run_id, parts.run], **QUIET
    )
    picked = parts.show.click(lambda run: run or "", parts.chosen_run, parts.run_id, **QUIET)
    opened = [
        moment(refresh, who, tables, **QUIET)
        for moment in (tab.select, shared.domain.change, shared.key.submit)
    ]
    followed = [moment.then(follow, *watched, **QUIET) for moment in (ordered, picked, *opened)]
    for end in (ordered, *followed):
        end.then(refresh, who, tables, **QUIET)
    # Following one run ends the following of another, or both would write to the same place.
    for button in (parts.start, parts.show):
        button.click(None, cancels=followed, **QUIET)
    parts.cancel.click(cancel, [parts.run_id, *who], None, **QUIET)
    for button, act, inputs in (
        (parts.promote, promote, [*who, parts.version]),
        (parts.roll_back, roll_back, who),
    ):
        button.click(act, inputs, parts.said, **QUIET).then(refresh, who, tables, **QUIET)
    gr.Timer(LOOK_AGAIN_S).tick(watch, shared.domain, parts.replicas, **QUIET)


def _tables(parts: Parts, client: Client, domain: str) -> dict[Any, Any]:
    replicas = {parts.replicas: _replicas(client, domain)}
    try:
        runs = client.runs(domain)
        versions = client.models(domain)
    except TelltaleError as error:
        refused = note(words(error), "warn")
        return replicas | {parts.versions: refused, parts.runs: refused, parts.run_id: ""}
    others = [row.version for row in versions if "champion" not in row.aliases]
    named = [(f"{run.id}, {MODE_NAMES.get(run.mode, run.mode)}", run.id) for run in runs]
    going = [run.id for run in runs if run.state in {"queued", "running"}]
    return replicas | {
        parts.versions: view.versions(versions),
        parts.version: gr.update(choices=others, value=others[0] if others else None),
        parts.runs: view.runs(runs),
        parts.chosen_run: gr.update(choices=named, value=named[0][1] if named else None),
        parts.run_id: going[0] if going else "",
    }


def _replicas(client: Client, domain: str) -> str:
    def show() -> str:
        status = client.status()
        return view.replicas(status.domains[domain], status.curator)

    return or_note(show, lambda said: note(said, "bad"))


def _follow(client: Client, domain: str, run_id: str) -> Iterator[str]:
    events = []
    try:
        run = client.run(domain, run_id)
        for event in client.follow(domain, run_id):
            events.append(event)
            yield progress(run, events)
        yield progress(client.run(domain, run_id), events)
    except TelltaleError as error:
        yield _card(note(words(error), "bad"))


def _card(inside: str) -> str:
    return f'<section class="tt-card tt-run">{inside}</section>'


def _move(act: Callable[[], Move]) -> str:
    return or_note(lambda: view.moved(act()), lambda said: note(said, "bad"))
