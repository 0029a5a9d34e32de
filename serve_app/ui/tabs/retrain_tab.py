"""The Retrain tab: order a retrain, follow it live, and decide which version serves."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.ui.markup import heading, note
from serve_app.ui.shared import QUIET, Shared, html, or_note
from serve_app.ui.tabs import follow_run, go_back, run_view
from serve_app.ui.tabs import retrain_view as view
from serve_app.ui.tabs.follow_run import Watch
from serve_app.ui.tabs.go_back import GoBack
from serve_app.ui.wording import LOOK_AGAIN_S, words

MODES = [
    ("Teach: learn from corrections in seconds; only the last layer changes", "teach"),
    ("Full: train the whole network anew on all accepted clips; takes minutes", "full"),
]


@dataclass(frozen=True)
class Parts:
    mode: Any
    reason: Any
    start: Any
    cancel: Any
    told: Any
    watch: Any  # gr.State of Watch
    noticed: Any  # gr.State of str: a run that began elsewhere
    run: Any
    replicas: Any
    versions: Any
    version: Any
    promote: Any
    back: GoBack
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
            told = html(elem_id="told")
            cancel = gr.Button("Cancel this run", elem_id="cancel")
        with gr.Column(scale=7, min_width=300):
            run = html(run_view.NOBODY, elem_id="run")
    html(heading("Replicas", "what answers right now"))
    replicas = html(elem_id="replicas")
    html(heading("Versions", "a promotion reaches every replica without a pause"))
    versions = html(elem_id="versions")
    said = html(elem_id="said")
    with gr.Row(elem_classes="tt-actions", equal_height=True):
        version = gr.Dropdown(
            label="Version",
            choices=[],
            filterable=False,
            elem_id="version",
            elem_classes="tt-plain",
            min_width=160,
        )
        promote = gr.Button("Promote", elem_id="promote", min_width=120)
    back = go_back.build()
    html(heading("Runs"))
    runs = html(elem_id="runs")
    with gr.Row(elem_classes="tt-actions", equal_height=True):
        chosen_run = gr.Dropdown(
            label="Run",
            choices=[],
            filterable=False,
            elem_id="chosen-run",
            elem_classes="tt-plain",
            min_width=160,
        )
        show = gr.Button("Show this run", elem_id="show", min_width=160)
    parts = Parts(
        mode, reason, start, cancel, told, gr.State(Watch()), gr.State(""), run, replicas,
        versions, version, promote, back, said, runs, chosen_run, show,
    )  # fmt: skip
    _wire(shared, parts, tab)


def _wire(shared: Shared, parts: Parts, tab: Any) -> None:
    who = [shared.domain, shared.key]
    tables = [
        parts.replicas, parts.versions, parts.version, parts.runs, parts.chosen_run,
        *parts.back.shown,
    ]  # fmt: skip

    def order(mode: Any, reason: str, domain: str, key: str, watch: Watch) -> str:
        return follow_run.order(shared.client.with_key(key), domain, mode, reason, watch)

    def pick(run_id: str | None, watch: Watch) -> None:
        watch.run_id = run_id or ""

    def follow(domain: str, key: str, watch: Watch) -> Iterator[str]:
        yield from follow_run.follow(shared.client.with_key(key), domain, watch)

    def refresh(domain: str | None, key: str) -> dict[Any, Any]:
        return _tables(parts, shared.client.with_key(key), domain) if domain else gr.skip()

    def open_domain(domain: str | None, key: str, watch: Watch) -> dict[Any, Any]:
        watch.turn += 1  # what is followed belongs to the domain before
        # Or it does not: a page that loads says its domain late, when a run may be followed.
        kept = watch.run_id if domain == watch.domain else ""
        watch.run_id = follow_run.current(shared.client.with_key(key), domain, kept)
        watch.domain = domain
        cleared = {parts.run: run_view.NOBODY, parts.told: "", parts.said: ""}
        return cleared | parts.back.to(None)  # it is of the domain before, too

    def open_tab(domain: str | None, key: str, watch: Watch) -> None:
        kept = watch.run_id
        watch.run_id = follow_run.current(shared.client.with_key(key), domain, kept)
        watch.domain = domain

    def cancel(domain: str, key: str, watch: Watch) -> None:
        try:
            shared.client.with_key(key).cancel(domain, watch.run_id)
        except ServiceError as error:
            gr.Warning(words(error))

    def look(domain: str | None, key: str, watch: Watch) -> Any:
        if not domain:
            return gr.skip()
        try:
            status = shared.client.status()
        except ServiceError as error:
            return {parts.replicas: note(words(error), "bad")}
        told = status.domains[domain]
        found: dict[Any, Any] = {parts.replicas: view.replicas(told, status.curator)}
        if follow_run.notice(shared.client.with_key(key), domain, told.running, watch):
            found[parts.noticed] = watch.run_id
        return found

    def turn_to_noticed() -> None:
        """What follows is in the watch already."""

    watching = [*who, parts.watch]
    shown = (tab.select, *shared.key_entered)
    opened = [parts.run, parts.told, parts.said, *parts.back.shown]
    begun = [
        parts.start.click(order, [parts.mode, parts.reason, *watching], parts.told, **QUIET),
        parts.show.click(pick, [parts.chosen_run, parts.watch], None, **QUIET),
        shared.domain.change(open_domain, watching, opened, **QUIET),
        parts.noticed.change(turn_to_noticed, None, None, **QUIET),
        *(moment(open_tab, watching, None, **QUIET) for moment in shown),
    ]
    for moment in begun:
        moment.then(refresh, who, tables, **QUIET)
        moment.then(follow, watching, parts.run, **QUIET).then(refresh, who, tables, **QUIET)
    parts.cancel.click(cancel, watching, None, **QUIET)
    _wire_decisions(shared, parts, refresh, tables)
    gr.Timer(LOOK_AGAIN_S).tick(look, watching, [parts.replicas, parts.noticed], **QUIET)


def _wire_decisions(shared: Shared, parts: Parts, refresh: Any, tables: list[Any]) -> None:
    who = [shared.domain, shared.key]

    def promote(domain: str, key: str, version: str | None) -> str:
        if not version:
            return note("Choose a version first.", "warn")
        return _move(lambda: shared.client.with_key(key).promote(domain, version))

    parts.back.wire()
    for button, version in (
        (parts.promote, parts.version),
        (parts.back.sure, parts.back.target),
    ):
        chosen = [*who, version]
        button.click(promote, chosen, parts.said, **QUIET).then(refresh, who, tables, **QUIET)


def _tables(parts: Parts, client: Client, domain: str) -> dict[Any, Any]:
    replicas = {parts.replicas: _replicas(client, domain)}
    if not client.key:
        locked = note("Enter an admin's key under “Key” to see and change this.")
        return replicas | {parts.versions: locked, parts.runs: locked}
    try:
        runs = client.runs(domain)
        versions = client.models(domain)
    except ServiceError as error:
        refused = note(words(error), "warn")
        return replicas | {parts.versions: refused, parts.runs: refused}
    others = [row.version for row in versions if "champion" not in row.aliases]
    named = view.choices(runs)
    return replicas | {
        parts.versions: view.versions(versions),
        parts.version: gr.update(choices=others, value=others[0] if others else None),
        parts.runs: view.runs(runs),
        parts.chosen_run: gr.update(choices=named, value=named[0][1] if named else None),
        **parts.back.to(view.before_champion(versions)),
    }


def _replicas(client: Client, domain: str) -> str:
    def show() -> str:
        status = client.status()
        return view.replicas(status.domains[domain], status.curator)

    return or_note(show, lambda said: note(said, "bad"))


def _move(act: Callable[[], Any]) -> str:
    return or_note(lambda: view.moved(act()), lambda said: note(said, "bad"))
