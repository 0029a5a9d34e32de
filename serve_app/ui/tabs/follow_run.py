"""Orders a retrain and follows it: the run's events, one by one, as the page shows them."""

from collections.abc import Iterator
from dataclasses import dataclass

from data.domains.domain import Mode
from serve_app.client.client import ENDED, Client
from serve_app.client.connection import ServiceError
from serve_app.ui.markup import note
from serve_app.ui.tabs.run_view import progress
from serve_app.ui.wording import words


@dataclass
class Watch:
    """What one visitor follows. Gradio hands the same object to every call of a session."""

    run_id: str = ""
    turn: int = 0
    domain: str | None = None  # that `run_id` belongs to


def order(client: Client, domain: str, mode: Mode, reason: str, watch: Watch) -> str:
    watch.run_id = ""
    try:
        run = client.retrain(domain, mode, reason)
    except ServiceError as error:
        return _refusal(error)
    watch.run_id = run.id
    return progress(run, [])


def running(client: Client, domain: str | None) -> str:
    """The run under way, "" for none, or where the key does not allow to know."""
    if not domain or not client.key:
        return ""
    try:
        runs = client.runs(domain)
    except ServiceError:
        return ""
    return next((run.id for run in runs if run.state not in ENDED), "")


def follow(client: Client, domain: str, watch: Watch) -> Iterator[str]:
    """The one begun last goes on; an older one stops, or both would write to one place."""
    watch.turn += 1
    turn, run_id = watch.turn, watch.run_id
    for shown in _views(client, domain, run_id) if run_id else ():
        if watch.turn != turn:
            return
        yield shown


def _views(client: Client, domain: str, run_id: str) -> Iterator[str]:
    events = []
    try:
        run = client.run(domain, run_id)
        for event in client.follow(domain, run_id):
            events.append(event)
            yield progress(run, events)
        yield progress(client.run(domain, run_id), events)
    except ServiceError as error:
        yield _refusal(error)


def _refusal(error: ServiceError) -> str:
    said = note(words(error), "bad")
    return f'<section class="tt-card tt-run">{said}</section>'
