"""Models: what serves and since when, the versions as a line of dots, and the run under way.

A run is followed wherever it began: every session is told when one has.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from serve_app.client.answers import Mode
from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.ui.markup import note
from serve_app.ui.places.models import models_follow as follow_run
from serve_app.ui.places.models import models_view as view
from serve_app.ui.places.models.models_follow import Watch
from serve_app.ui.places.models.models_run import nobody
from serve_app.ui.shared import (
    QUIET,
    STREAMED,
    Shared,
    clickable,
    event_field,
    html,
    or_note,
    row_of,
)
from serve_app.ui.wording import words
from serve_app.ui.words.translate import mark, t

LOCKED = mark("Enter an admin's key under “Key” to see and change this.")


@dataclass(frozen=True)
class Choice:
    """The version that is told of, and the one it is compared with; "" is the one that serves."""

    version: str = ""
    other: str = ""


def build_models(shared: Shared, tab: Any) -> None:
    models = clickable(note(t(LOCKED)), elem_id="models")
    told = html(elem_id="told")
    run = clickable(nobody(), elem_id="run")
    runs = clickable(elem_id="runs")
    choice_state, watch_state = gr.State(Choice()), gr.State(Watch())
    who = [shared.domain, shared.key]

    def refresh(domain: str | None, key: str, choice: Choice) -> Any:
        if not domain:
            return gr.skip()
        if not key:
            return {models: note(t(LOCKED)), runs: ""}
        client = shared.client.with_key(key)
        try:
            line = _line(client, domain)
        except ServiceError as error:
            return {models: note(words(error), "warn"), runs: ""}
        shown = view.shown(line, choice.version, choice.other)
        return {models: shown, runs: view.runs(line.runs)}

    def act(
        domain: str | None, key: str, choice: Choice, watch: Watch, event: gr.EventData
    ) -> dict[Any, Any]:
        if not domain:
            return {choice_state: choice}
        client, version = shared.client.with_key(key), event_field(event, "version")
        mode: Mode
        match event_field(event, "act"):
            case "choose":
                return {choice_state: replace(choice, version=version), told: ""}
            case "compare":
                other = "" if version == choice.other else version
                return {choice_state: replace(choice, other=other)}
            case "teach" | "full" | "dry" as act:
                dry, options = act == "dry", follow_run.otherwise(event)
                mode = "full" if "full" in (act, event_field(event, "mode")) else "teach"
                reason = "" if dry else event_field(event, "reason")
                options["dry_run"] = dry
                return {told: follow_run.order(client, domain, mode, reason, watch, **options)}
            case "promote":
                moved = or_note(lambda: view.moved(client.promote(domain, version)), _bad)
                return {told: moved, choice_state: Choice()}
            case "cancel":
                return {told: or_note(lambda: _cancelled(client, domain, watch), _bad)}
            case "run":
                watch.run_id = event_field(event, "run")
            case "follow":
                watch.run_id = follow_run.current(client, domain, watch.run_id)
        return {told: ""}

    def follow(domain: str | None, key: str, watch: Watch) -> Iterator[Any]:
        if domain:
            yield from follow_run.follow(shared.client.with_key(key), domain, watch)
        yield gr.skip()  # where nothing was yielded, Gradio would empty what is there

    def opened(domain: str | None, key: str, watch: Watch) -> Any:
        if not domain:
            return gr.skip()
        turned = domain != watch.domain
        if turned:
            watch.turn += 1  # what is followed belongs to the domain before
            watch.followed = watch.run_id = ""
        watch.run_id = follow_run.current(shared.client.with_key(key), domain, watch.run_id)
        watch.domain = domain
        return {run: nobody(), told: "", choice_state: Choice()} if turned else gr.skip()

    def look(domain: str | None, key: str, watch: Watch) -> None:
        if domain and key:
            with suppress(ServiceError):  # of which the banner tells
                running = row_of(shared.standing.status(), domain).running
                follow_run.notice(shared.client.with_key(key), domain, running, watch)

    watching = [*who, watch_state]
    pages = [models, runs, choice_state]
    shown = [run, told, choice_state]
    signals = shared.signals
    begun = [
        tab.select(opened, watching, shown, **QUIET),
        signals.models(opened, watching, shown, trigger_mode="always_last", **QUIET),
        signals.moved(look, watching, None, **QUIET),
        *(
            part.click(act, [*who, choice_state, watch_state], [told, choice_state], **QUIET)
            for part in (models, run, runs)
        ),
    ]
    refreshing = {"inputs": [*who, choice_state], "outputs": pages, **QUIET}
    # An older one ends by `Watch`, though not before it is told something.
    at_once = {"trigger_mode": "multiple", "concurrency_limit": 8, **STREAMED}
    for event in begun:
        event.then(refresh, **refreshing)
        event.then(follow, watching, run, **at_once).then(refresh, **refreshing)


def _line(client: Client, domain: str) -> view.Line:
    """Raises ServiceError."""
    status = client.status()
    events = client.accounts.events(domain, kind="model.learnt").events
    return view.Line(
        row_of(status, domain),
        client.models(domain),
        away=status.curator == "away",
        runs=client.runs(domain),
        learnt={event.subject: event.detail for event in events},
    )


def _cancelled(client: Client, domain: str, watch: Watch) -> str:
    client.cancel(domain, watch.run_id)
    return ""


def _bad(refused: str) -> str:
    return note(refused, "bad")
