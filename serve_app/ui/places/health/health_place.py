"""Health: how good the model is and what it learnt from, and how the service bears its load."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import gradio as gr

from serve_app.client.answers import DomainInfo
from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.client.past_answers import Window
from serve_app.ui.account import known
from serve_app.ui.markup import heading, note, text
from serve_app.ui.places.health import (
    health_corrections,
    health_model,
    health_samples,
    health_service,
)
from serve_app.ui.shared import (
    QUIET,
    Shared,
    clickable,
    event_field,
    html,
    or_note,
    row_of,
)
from serve_app.ui.wording import words
from serve_app.ui.words.translate import t

EVENTS = 200  # most of which may be steps of runs


def build_health(shared: Shared, tab: Any) -> None:
    html(heading(t("The service"), t("as it is right now")))
    windows = [(t("5 minutes"), "5m"), (t("1 hour"), "1h")]
    window = gr.Radio(
        windows,
        value="5m",
        label=t("The last"),
        elem_id="window",
        elem_classes=["tt-plain", "tt-chips"],
    )
    service = html(elem_id="service")
    locust = html(elem_id="locust")
    events = html(elem_id="events")
    corrections = html(elem_id="corrections")
    html(heading(t("The model"), t("what it learnt from, and how it did in its exam")))
    model = html(elem_id="insights")
    samples = clickable(elem_id="samples")
    chosen = gr.State("")  # the label of the sample

    def look(domain: str | None, window: Window, key: str) -> Any:
        if not domain:
            return gr.skip()

        def show() -> str:  # to everybody: a key that was mistyped is no reason to refuse it
            standing = row_of(shared.standing.status(), domain)
            return health_service.shown(shared.client.history(domain, window), standing)

        def recent() -> str:
            accounts = shared.client.with_key(key).accounts
            return health_service.events(accounts.events(domain, limit=EVENTS).events)

        return {
            service: or_note(show, _warning),
            events: _with_key(key, recent),
        }

    def sample(client: Client, known_domains: tuple[DomainInfo, ...], name: str, label: str) -> str:
        found = shared.domain_of(known_domains, name)
        return _with_key(client.key, lambda: health_samples.shown(client, found, label))

    def study(domain: str | None, key: str, domains: tuple[DomainInfo, ...], label: str) -> Any:
        if not domain:
            return gr.skip()
        client = known(shared.client.with_key(key))

        def taught() -> str:
            since = datetime.now(UTC) - timedelta(days=health_corrections.DAYS)
            page_before = partial(
                client.accounts.events, domain, kind="feedback", since=since, limit=1000
            )
            return health_corrections.looked_up(lambda before: page_before(before=before))

        return {
            corrections: _with_key(client.key, taught),
            model: or_note(lambda: health_model.shown(client.insights(domain)), _warning),
            samples: sample(client, domains, domain, label),
        }

    def choose(
        domain: str | None, key: str, domains: tuple[DomainInfo, ...], event: gr.EventData
    ) -> Any:
        if not domain:
            return gr.skip()
        label = event_field(event, "label")
        shown = sample(shared.client.with_key(key), domains, domain, label)
        return {samples: shown, chosen: label}

    def order(request: gr.Request) -> str:
        host = f"{request.url.scheme}://{request.url.netloc}"
        line = f"locust -f loadtest/locustfile.py --host {text(host)}"
        copy = f'<button type="button" class="tt-mini" data-copy>{t("Copy")}</button>'
        said = f'<p class="tt-small">{t("To put load on it:")} {copy}</p>'
        return f'{said}<pre tabindex="0">{line}</pre>'

    tab.select(order, None, locust, **QUIET)
    studied = [corrections, model, samples]
    live, who = [shared.domain, window, shared.key], [shared.domain, shared.key, shared.domains]
    signals = shared.signals
    for moment in (tab.select, window.change, signals.health, signals.again):
        moment(look, live, [service, events], trigger_mode="always_last", **QUIET)
    for moment in (tab.select, signals.health):
        moment(study, [*who, chosen], studied, trigger_mode="always_last", **QUIET)
    samples.click(choose, who, [samples, chosen], trigger_mode="always_last", **QUIET)


def _with_key(key: str, show: Callable[[], str]) -> str:
    """`show()`, which only some keys may see: nothing for the others, any other refusal is told."""
    if not key:
        return ""
    try:
        return show()
    except ServiceError as error:
        return "" if error.status in {401, 403} else _warning(words(error))


def _warning(refused: str) -> str:
    return note(refused, "warn")
