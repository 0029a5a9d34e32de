"""What every place needs from the page around it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from data.errors import ClipTooLarge, UnknownName
from serve_app.client.answers import DomainInfo
from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.client.service_answers import DomainStatus, Status
from serve_app.settings import VISITOR_HEADER
from serve_app.ui.standing import Standing
from serve_app.ui.wording import words
from serve_app.ui.words.translate import in_script

STATIC = Path(__file__).with_name("static")
# Of all that is no named endpoint: scripts have those, and the service's own API.
STREAMED = {"api_visibility": "private", "show_progress": "hidden"}
# What is answered once is the answer to its own request; what is told bit by bit comes by a stream.
QUIET = STREAMED | {"queue": False}


def html(value: str = "", elem_id: str | None = None) -> Any:
    """A place for our own HTML, without Gradio's styles for running text."""
    return gr.HTML(value, elem_id=elem_id, apply_default_css=False)


def script(name: str) -> str:
    """JavaScript of the page, for `js_on_load`."""
    return in_script((STATIC / name).read_text(encoding="utf-8"))


def clickable(value: str = "", *, elem_id: str, more: str = "") -> Any:
    """The same, whose buttons with `data-act` are clicks that `event_field` reads (actions.js).
    Gradio checks nothing of them against a list that may have changed meanwhile, as it does of its
    own choices, which it then refuses with a bare "Error"."""
    js = script("actions.js")
    return gr.HTML(value, elem_id=elem_id, apply_default_css=False, js_on_load=f"{more}\n{js}")


def event_field(event: gr.EventData, field: str) -> str:
    """What a click of `clickable` tells in a field; "" if it does not."""
    fields = event._data
    value = fields.get(field, "") if isinstance(fields, dict) else ""
    return value if isinstance(value, str) else ""


@dataclass(frozen=True)
class Shared:
    client: Client
    domains: Any  # gr.State of tuple[DomainInfo, ...]
    domain: Any  # gr.Radio: the chosen domain's name
    key: Any  # gr.Textbox: the bearer key, empty for nobody
    standing: Standing
    signals: Any  # with the events of static/standing.js
    start_token: str = ""  # by which the service believes whom the page asks for

    @property
    def key_entered(self) -> tuple[Any, Any]:
        """A key that was typed counts as well when its field is left."""
        return self.key.submit, self.key.blur

    def domain_of(self, known: tuple[DomainInfo, ...], name: str | None) -> DomainInfo:
        """The first without a name. Nothing is `known` before the first answer to "which are
        there?", nor once a session has expired. Raises UnknownName and ServiceError."""
        domains = known or self.client.domains()
        for domain in domains:
            if not name or domain.name == name:
                return domain
        known_names = ", ".join(domain.name for domain in domains)
        raise UnknownName(f"there is no domain {name!r}; the domains are {known_names}")

    def client_of(self, key: str, request: gr.Request) -> Client:
        """For this visitor: without a key his corrections and clips count as his address's own, not
        as the page's."""
        address = request.client.host if request.client else ""
        visitor = ((VISITOR_HEADER, f"{self.start_token} {address}"),) if address else ()
        return self.client.with_key(key, headers=visitor if self.start_token else ())


def read_within(path: Path, domain: DomainInfo) -> bytes:
    """A clip or mask that was uploaded here; raises ClipTooLarge for what the service would refuse,
    which would else lie in memory as often as somebody asks about it."""
    size, most = path.stat().st_size, domain.limits.max_bytes
    if size > most:
        raise ClipTooLarge(f"{path.name} has {size:,} bytes; at most {most:,} are taken here")
    return path.read_bytes()


def row_of(status: Status, domain: str) -> DomainStatus:
    """How the domain stands. While the curator is away, a replica answers for its own domain only:
    raises ServiceError for another one."""
    if found := status.domains.get(domain):
        return found
    raise ServiceError("the curator is away: how this domain stands is not known right now", 503)


def or_note(show: Callable[[], str], complain: Callable[[str], str]) -> str:
    """`show()`, or the complaint in its place when the service refuses."""
    try:
        return show()
    except ServiceError as error:
        return complain(words(error))
