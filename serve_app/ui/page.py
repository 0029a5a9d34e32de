"""The page: a header with the domain and whose key counts, and four places, a builder each."""

from pathlib import Path
from typing import Any

import gradio as gr

from serve_app.client.answers import DomainInfo
from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.ui import address, header, named_endpoints
from serve_app.ui.account import visitor, who
from serve_app.ui.places.ask.ask_place import build_ask
from serve_app.ui.places.health.health_place import build_health
from serve_app.ui.places.models.models_place import build_models
from serve_app.ui.places.teach.teach_place import build_teach
from serve_app.ui.shared import QUIET, Shared, html, script
from serve_app.ui.standing import Standing
from serve_app.ui.wording import LOOK_AGAIN_S
from serve_app.ui.words.translate import t, told
from serve_app.ui.words.translated_blocks import TranslatedBlocks

# The key is taken from the address once and kept for this browser tab only, so that a reload
# does not lose it and a shared address does not give it away.
TAKE_KEY = """(typed) => {
  const address = new URL(window.location.href);
  const given = address.searchParams.get("key");
  if (given) {
    sessionStorage.setItem("telltale-key", given);
    address.searchParams.delete("key");
    history.replaceState(null, "", address);
  }
  return [given || sessionStorage.getItem("telltale-key") || typed || ""];
}"""
KEEP_KEY = """(key) => {
  if (key) sessionStorage.setItem("telltale-key", key);
  else sessionStorage.removeItem("telltale-key");
  return [];
}"""


def build(
    client: Client,
    standing: Standing,
    examples: Path | None = None,
    start_token: str = "",
    mlflow: str = "",
) -> Any:
    with TranslatedBlocks(
        title="Telltale", analytics_enabled=False, delete_cache=(600, 3600), fill_width=False
    ) as page:
        # Shows that nothing answers, and tells what the page is to ask anew.
        signals = gr.HTML(
            "", js_on_load=script("standing.js"), apply_default_css=False, elem_id="banner"
        )
        with gr.Row(elem_classes="tt-top"):
            with gr.Column(min_width=260):
                title = html(header.title(None), elem_id="header")
                html('<p id="serving" class="tt-small"></p>')
            with gr.Accordion(visitor().chip, open=False, elem_id="chip") as chip:
                account = html(visitor().said, elem_id="account")
                key = gr.Textbox(
                    label=t("Key"),
                    type="password",
                    info=t("Not needed to try a clip."),
                    elem_id="key",
                    elem_classes="tt-plain",
                )
                limits = html()
                html(header.links())
        role = html(header.role_mark(visitor().role), elem_id="role")
        domain = gr.Radio(
            choices=[], label=t("Domain"), elem_id="domain", elem_classes=["tt-plain", "tt-chips"]
        )
        shared = Shared(client, gr.State(()), domain, key, standing, signals, start_token)
        # Before the places, each of which has its own to ask: Gradio calls one after the other.
        _wire(page, shared, title, limits)
        # In a menu some places would be hidden on a phone, in languages with long words.
        with gr.Tabs(overflow_behavior="wrap") as places:
            with gr.Tab(t("Ask"), id="ask", elem_id="place-ask") as ask:
                build_ask(shared, examples)
            with gr.Tab(t("Teach"), id="teach", elem_id="place-teach") as teach:
                build_teach(shared, teach)
            with gr.Tab(t("Models"), id="models", elem_id="place-models") as models:
                build_models(shared, models)
            with gr.Tab(t("Health"), id="health", elem_id="place-health") as health:
                build_health(shared, health)
        html(header.keys(), elem_id="keys")
        named_endpoints.build(shared)
        _wire_account(page, shared, [chip, account, role], places, mlflow)
        for tab in (ask, teach, models, health):
            tab.select(None, None, None, js=address.keep_place(tab.id), **QUIET)
    return page


def _wire(page: Any, shared: Shared, title: Any, limits: Any) -> None:
    wanted_domain = gr.Textbox(visible=False)

    def look(known: tuple[DomainInfo, ...], name: str | None, wanted: str) -> dict[Any, Any]:
        """Which domains there are; where nobody answers, the page is told when somebody does."""
        try:
            domains = known or shared.client.domains()
        except ServiceError:
            return {}
        names = [domain.name for domain in domains]
        chosen = next((one for one in (name, wanted) if one in names), names[0])
        choices = [(told(domain.title), domain.name) for domain in domains]
        return {
            shared.domains: domains,
            shared.domain: gr.update(choices=choices, value=chosen),
        }

    def turn_to(known: tuple[DomainInfo, ...], name: str) -> tuple[str, str]:
        domain = shared.domain_of(known, name)
        return header.title(domain), f'<p class="tt-small">{header.limits(domain)}</p>'

    known = [shared.domains, shared.domain]
    for moment in (page.load, shared.signals.found):
        moment(look, [*known, wanted_domain], known, js=address.TAKE_DOMAIN, **QUIET)
    shared.domain.change(None, shared.domain, None, js=address.KEEP_DOMAIN, **QUIET)
    shared.domain.change(turn_to, known, [title, limits], **QUIET)


def _wire_account(page: Any, shared: Shared, shown: list[Any], places: Any, mlflow: str) -> None:
    chip, account, role = shown
    wanted_place = gr.Textbox(visible=False)
    again = gr.Timer(LOOK_AGAIN_S, active=False)

    def look(key: str, place: str) -> dict[Any, Any]:
        found = who(shared.client.with_key(key))
        said = {
            chip: gr.update(label=found.chip),
            account: found.said + (header.mlflow(mlflow) if found.role == "admin" else ""),
            again: gr.update(active=not found.is_sure),
        }
        if not found.is_sure:  # role and place stay as they are until the service says
            return said
        return said | {
            role: header.role_mark(found.role),
            places: gr.Tabs(selected=address.opened(place, found.role)),
        }

    asked, told = [shared.key, wanted_place], [chip, account, again, role, places]
    begun = page.load(None, shared.key, shared.key, js=TAKE_KEY, **QUIET)
    shared.key.change(None, shared.key, None, js=KEEP_KEY, **QUIET)
    for moment in (begun.then, *shared.key_entered, again.tick):
        moment(look, asked, told, js=address.TAKE_PLACE, **QUIET)
    for moment in shared.key_entered:
        moment(None, None, None, js=address.TELL_KEY, **QUIET)
