"""Orders a retrain and follows it: the run's events, one by one, as the page shows them."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Unpack, cast

import gradio as gr

from data.domains.domain import Mode
from serve_app.client.calls.retrains import ENDED, Options
from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.client.service_answers import Run, RunEvent
from serve_app.ui.markup import note
from serve_app.ui.places.models.models_run import nobody, progress
from serve_app.ui.shared import event_field
from serve_app.ui.wording import AWAY, LOOK_AGAIN_S, with_again, words

NUMBERS = ("epochs", "workers", "learning_rate", "batch_size")


@dataclass
class Watch:
    """What one visitor follows. Gradio hands the same object to every call of a session."""

    run_id: str = ""
    turn: int = 0
    domain: str | None = None  # that `run_id` belongs to
    noticed: str = ""  # the last run under way that was turned to without being asked
    followed: str = ""  # the run that is on the page


def otherwise(event: gr.EventData) -> Options:
    """What is filled in of the settings for one run; the service says what does not suit it."""
    given = {name: event_field(event, name).strip() for name in (*NUMBERS, "snapshot")}
    found = {
        name: _number(text) if name in NUMBERS else text for name, text in given.items() if text
    }
    return cast(Options, found)


def _number(text: str) -> float | int | str:
    """A browser also lets ".001" through; what is no number at all is refused by the service."""
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text


def order(
    client: Client,
    domain: str,
    mode: Mode,
    reason: str,
    watch: Watch,
    **options: Unpack[Options],
) -> str:
    """Why not, if it was refused; the run that stands in the way is followed instead."""
    try:
        watch.run_id = watch.noticed = client.retrain(domain, mode, reason, **options).id
    except ServiceError as error:
        watch.run_id = current(client, domain, watch.run_id)
        return note(words(error), "bad")
    return ""


def current(client: Client, domain: str | None, shown: str) -> str:
    """The run under way, else the one that is shown, else the newest; "" for none, or where the
    key does not allow to know."""
    if not domain or not client.key:
        return ""
    try:
        runs = client.runs(domain)
    except ServiceError:
        return ""
    running = next((run.id for run in runs if run.state not in ENDED), "")
    return running or shown or (runs[0].id if runs else "")


def notice(client: Client, domain: str, running: Sequence[Run], watch: Watch) -> bool:
    """Whether one is under way that began elsewhere, and may be seen: true once for each."""
    new = next((run.id for run in running if run.id not in (watch.noticed, watch.run_id)), "")
    if not new or current(client, domain, "") != new:
        return False
    watch.run_id = watch.noticed = new
    return True


def follow(client: Client, domain: str, watch: Watch) -> Iterator[str]:
    """The one begun last goes on; an older one stops, or both would write to one place. What is on
    the page already is left there."""
    if watch.run_id == watch.followed:
        return
    watch.turn += 1
    turn, run_id = watch.turn, watch.run_id
    watch.followed = run_id
    for shown in _views(client, domain, watch) if run_id else (nobody(),):
        if watch.turn != turn:
            return
        yield shown


def _views(client: Client, domain: str, watch: Watch) -> Iterator[str]:
    """Goes on when the service is back; after a refusal the run may be followed anew."""
    turn, run_id, events = watch.turn, watch.run_id, list[RunEvent]()
    while watch.turn == turn:
        try:
            run = client.run(domain, run_id)
            if events:
                yield progress(run, events)
            for event in client.follow(domain, run_id):
                if not events or event.id > events[-1].id:
                    events.append(event)
                    yield progress(run, events)
            yield progress(client.run(domain, run_id), events)
            return
        except ServiceError as error:
            away = error.status in AWAY
            said = note(with_again(error) if away else words(error), "bad")
            yield f'<section class="tt-card tt-run">{said}</section>'
            if not away:
                break
        time.sleep(LOOK_AGAIN_S)
    if watch.turn == turn:
        watch.followed = ""
