"""Models: what serves and since when, the versions as a line of dots, and the run under way.

A run is followed wherever it began: every session looks for one every few seconds.
"""

from collections.abc import Iterator
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
from serve_app.ui.shared import QUIET, Shared, clickable, event_field, html, or_note, row_of
from serve_app.ui.wording import LOOK_AGAIN_S, words
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
    seen = gr.State("")  # what serves and runs, as it was last seen to change
    who = [shared.domain, shared.key]

    def refresh(domain: str | None, key: str, choice: Choice) -> dict[Any, Any]:
        if not domain:
            return {choice_state: choice}
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
            case "teach" | "full":
                mode = "full" if event_field(event, "act") == "full" else "teach"
                reason = event_field(event, "reason")
                return {told: follow_run.order(client, domain, mode, reason, watch)}
            case "dry":
                mode = "full" if event_field(event, "mode") == "full" else "teach"
                return {told: follow_run.order(client, domain, mode, "", watch, dry_run=True)}
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
        yield from follow_run.follow(shared.client.with_key(key), domain or "", watch)
        yield gr.skip()  # where nothing was yielded, Gradio would empty what is there

    def open_domain(domain: str | None, key: str, watch: Watch) -> dict[Any, Any]:
        watch.turn += 1  # what is followed belongs to the domain before
        watch.followed = ""
        # Or it does not: a page that loads says its domain late, when a run may be followed.
        kept = watch.run_id if domain == watch.domain else ""
        watch.run_id = follow_run.current(shared.client.with_key(key), domain, kept)
        watch.domain = domain
        return {run: nobody(), told: "", choice_state: Choice()}

    def open_tab(domain: str | None, key: str, watch: Watch) -> None:
        watch.run_id = follow_run.current(shared.client.with_key(key), domain, watch.run_id)
        watch.domain = domain

    def look(domain: str | None, key: str, watch: Watch) -> Any:
        if not domain or not key:
            return gr.skip()
        try:
            status = row_of(shared.client.status(), domain)
        except ServiceError:
            return gr.skip()  # the page's own look says that the service is away
        follow_run.notice(shared.client.with_key(key), domain, status.running, watch)
        serves = status.champion.version if status.champion else ""
        return f"{domain} {serves} {status.agree} {watch.noticed}"

    watching = [*who, watch_state]
    pages = [models, runs, choice_state]
    begun = [
        shared.domain.change(open_domain, watching, [run, told, choice_state], **QUIET),
        *(
            moment(open_tab, watching, None, **QUIET)
            for moment in (tab.select, *shared.key_entered)
        ),
        seen.change(lambda: None, None, None, **QUIET),
        *(
            part.click(act, [*who, choice_state, watch_state], [told, choice_state], **QUIET)
            for part in (models, run, runs)
        ),
    ]
    for event in begun:
        event.then(refresh, [*who, choice_state], pages, **QUIET)
        event.then(follow, watching, run, concurrency_limit=16, **QUIET).then(
            refresh, [*who, choice_state], pages, **QUIET
        )
    gr.Timer(LOOK_AGAIN_S).tick(look, watching, seen, **QUIET)


def _line(client: Client, domain: str) -> view.Line:
    """Raises ServiceError."""
    status = client.status()
    events = client.accounts.events(domain, kind="model.learnt").events
    return view.Line(
        row_of(status, domain),
        client.models(domain),
        away=status.curator == "away",
        runs=client.runs(domain),
        learnt={event.subject: int(event.detail.get("clips", 0)) for event in events},
    )


def _cancelled(client: Client, domain: str, watch: Watch) -> str:
    client.cancel(domain, watch.run_id)
    return ""


def _bad(refused: str) -> str:
    return note(refused, "bad")
