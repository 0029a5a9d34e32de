"""Health: how good the model is and what it learnt from, and how the service bears its load."""

from collections.abc import Sequence
from typing import Any

import gradio as gr

from serve_app.client.past_answers import Window
from serve_app.ui.account import known
from serve_app.ui.markup import heading, note, text
from serve_app.ui.places.health import health_model, health_service
from serve_app.ui.shared import QUIET, Shared, html, or_note, row_of
from serve_app.ui.wording import LOOK_AGAIN_S
from serve_app.ui.words.translate import t

EVENTS = 20


def build_health(shared: Shared, tab: Any, others: Sequence[Any]) -> None:
    """It looks again and again until one of the other tabs is opened."""
    html(heading(t("The service"), t("as it is right now")))
    windows = [(t("5 minutes"), "5m"), (t("1 hour"), "1h")]
    window = gr.Radio(windows, value="5m", label=t("The last"), elem_id="window")
    service = html(elem_id="service")
    locust = html(elem_id="locust")
    events = html(elem_id="events")
    html(heading(t("The model"), t("what it learnt from, and how it did in its exam")))
    model = html(elem_id="insights")
    again = gr.Timer(LOOK_AGAIN_S, active=False)

    def look(domain: str | None, window: Window, key: str) -> dict[Any, Any]:
        if not domain:
            return {service: ""}

        def show() -> str:  # to everybody: a key that was mistyped is no reason to refuse it
            standing = row_of(shared.client.status(), domain)
            return health_service.shown(shared.client.history(domain, window), standing)

        def recent() -> str:
            accounts = shared.client.with_key(key).accounts
            return health_service.events(accounts.events(domain, limit=EVENTS).events)

        return {
            service: or_note(show, _warning),
            events: or_note(recent, lambda refused: "") if key else "",
        }

    def study(domain: str | None, key: str) -> str:
        if not domain:
            return ""
        client = known(shared.client.with_key(key))
        return or_note(lambda: health_model.shown(client.insights(domain)), _warning)

    def open_tab(request: gr.Request) -> dict[Any, Any]:
        host = f"{request.url.scheme}://{request.url.netloc}"
        line = f"locust -f loadtest/locustfile.py --host {text(host)}"
        shown = f'<p class="tt-small">{t("To put load on it:")}</p><pre tabindex="0">{line}</pre>'
        return {again: gr.update(active=True), locust: shown}

    tab.select(open_tab, None, [again, locust], **QUIET)
    for other in others:
        other.select(lambda: gr.update(active=False), None, again, **QUIET)
    live = [shared.domain, window, shared.key]
    for moment in (
        tab.select, shared.domain.change, window.change, again.tick, *shared.key_entered
    ):  # fmt: skip
        moment(look, live, [service, events], **QUIET)
    for moment in (tab.select, shared.domain.change, *shared.key_entered):
        moment(study, [shared.domain, shared.key], model, **QUIET)


def _warning(refused: str) -> str:
    return note(refused, "warn")
