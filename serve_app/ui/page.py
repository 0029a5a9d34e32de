"""The page: a header with the choice of domain and the key, and the places, one builder each."""

from pathlib import Path
from typing import Any

import gradio as gr

from serve_app.client.answers import DomainInfo
from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.ui import address, named_endpoints
from serve_app.ui.account import who as account_of
from serve_app.ui.markup import note, text
from serve_app.ui.places.health_place import build_health
from serve_app.ui.places.models_place import build_models
from serve_app.ui.places.teach_place import build_teach
from serve_app.ui.shared import QUIET, Shared, html
from serve_app.ui.tabs import predict_tab
from serve_app.ui.wording import LOOK_AGAIN_S, words

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


def build(client: Client, examples: Path | None = None, start_token: str = "") -> Any:
    with gr.Blocks(
        title="Telltale", analytics_enabled=False, delete_cache=(600, 3600), fill_width=False
    ) as page:
        banner = html(elem_id="banner")
        with gr.Row(elem_classes="tt-top", equal_height=True):
            header = html(_header((), None), elem_id="header")
            domain = gr.Dropdown(
                label="Domain",
                choices=[],
                filterable=False,
                elem_id="domain",
                elem_classes="tt-plain",
                min_width=220,
            )
        account = html(elem_id="account")
        with gr.Accordion("Key (not needed to try a clip)", open=False, elem_id="key-box"):
            key = gr.Textbox(
                label="Key",
                type="password",
                info="With a key your corrections count at once; an admin's key also retrains.",
                elem_id="key",
                elem_classes="tt-plain",
            )
        shared = Shared(client, gr.State(()), domain, key, start_token)
        with gr.Tabs() as places:
            with gr.Tab("Predict", id="predict") as predict:
                predict_tab.build(shared, examples)
            with gr.Tab("Teach", id="teach") as teach:
                build_teach(shared, teach)
            with gr.Tab("Models", id="models") as models:
                build_models(shared, models)
            with gr.Tab("Health", id="health") as health:
                build_health(shared, health)
        named_endpoints.build(shared)
        _wire(page, shared, banner, header)
        _wire_address(page, shared, places, [predict, teach, models, health])
        _wire_key(page, shared, account)
    page.queue(default_concurrency_limit=16, max_size=200)
    return page


def _wire(page: Any, shared: Shared, banner: Any, header: Any) -> None:
    outputs = [banner, header, shared.domain, shared.domains]
    wanted_domain = gr.Textbox(visible=False)

    def look(known: tuple[DomainInfo, ...], name: str | None, wanted: str) -> dict[Any, Any]:
        """Asks for the domains until they are known; afterwards only whether anybody answers."""
        try:
            domains = shared.client.domains()
        except ServiceError as error:
            return {banner: note(f"{words(error)} This page keeps trying by itself.", "bad")}
        if domains == known:
            return {banner: ""}
        names = [domain.name for domain in domains]
        chosen = next((one for one in (name, wanted) if one in names), names[0])
        choices = [(domain.title, domain.name) for domain in domains]
        return {
            banner: "",
            shared.domains: domains,
            shared.domain: gr.update(choices=choices, value=chosen),
            header: _header(domains, chosen),
        }

    asked = [shared.domains, shared.domain, wanted_domain]
    for moment in (page.load, gr.Timer(LOOK_AGAIN_S).tick):
        moment(look, asked, outputs, js=address.TAKE_DOMAIN, **QUIET)
    shared.domain.change(_header, [shared.domains, shared.domain], header, **QUIET)


def _wire_address(page: Any, shared: Shared, places: Any, tabs: list[Any]) -> None:
    wanted_place = gr.Textbox(visible=False)
    names = [tab.id for tab in tabs]

    def open_place(place: str) -> Any:
        return gr.Tabs(selected=place) if place in names else gr.skip()

    page.load(open_place, wanted_place, places, js=address.TAKE_PLACE, **QUIET)
    shared.domain.change(None, shared.domain, None, js=address.KEEP_DOMAIN, **QUIET)
    for tab in tabs:
        tab.select(None, None, None, js=address.keep_place(tab.id), **QUIET)


def _wire_key(page: Any, shared: Shared, account: Any) -> None:
    def who(key: str) -> str:
        return account_of(shared.client.with_key(key))

    page.load(None, shared.key, shared.key, js=TAKE_KEY, **QUIET).then(
        who, shared.key, account, **QUIET
    )
    shared.key.change(None, shared.key, None, js=KEEP_KEY, **QUIET)
    for moment in shared.key_entered:
        moment(who, shared.key, account, **QUIET)


def _header(domains: tuple[DomainInfo, ...], name: str | None) -> str:
    described = [domain.description for domain in domains if domain.name == name]
    words = described[0] if described else "A clip goes in; a class and its evidence come out."
    return f'<header class="tt-header"><h1>Telltale</h1><p>{text(words)}</p></header>'
