"""Teach: the review desk, clips to be added, and the receipts of whoever has a key."""

import threading
from typing import Any, Self

import gradio as gr

from data.errors import TelltaleError
from serve_app.client.answers import DomainInfo, KeptClip, Prediction
from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.ui.figures import photograph_figure, sound_figure
from serve_app.ui.markup import heading, note
from serve_app.ui.places.teach import teach_add, teach_desk, teach_receipts
from serve_app.ui.places.teach import teach_view as view
from serve_app.ui.places.teach.teach_desk import Desk
from serve_app.ui.places.teach.teach_unsure import Unsure
from serve_app.ui.shared import (
    QUIET,
    STREAMED,
    Shared,
    clickable,
    event_field,
    html,
    script,
)
from serve_app.ui.wording import words
from serve_app.ui.words.translate import t


def build_teach(shared: Shared, tab: Any) -> None:
    with gr.Row(elem_id="desk", elem_classes="tt-columns"):  # for admins, see ask.css
        with gr.Column(scale=3, min_width=240):
            queue = clickable(note(t(teach_desk.LOCKED)), elem_id="queue")
        with gr.Column(scale=9, min_width=300):
            shown = html(elem_id="shown")
            decision = clickable(elem_id="decision", more=script("teach.js"))
    html(heading(t("Add clips"), t("many at once, with their labels")))
    teach_add.build(shared)
    html(heading(t("My receipts"), t("what became of corrections sent with this key")))
    teach_receipts.build(shared, tab)
    _wire(shared, tab, queue, shown, decision)


class Seat:
    """One visitor's at the desk: Gradio hands the same object to every call of a session. Whatever
    he does waits `in_turn`: a list that is still on its way when a key is pressed would take back
    what the key has done."""

    def __init__(self) -> None:
        self.desk, self.domain = Desk(), ""
        self.seen = 0  # clips that were put on the desk so far, the last of which lies there
        self.in_turn = threading.Lock()

    def __deepcopy__(self, memo: object) -> Self:
        """A session's own; Gradio makes it so."""
        return type(self)()


def _wire(shared: Shared, tab: Any, queue: Any, shown: Any, decision: Any) -> None:
    seat_state, seen = gr.State(Seat()), gr.State(0)
    asked = [shared.domain, seat_state, shared.domains, shared.key]

    def put(seat: Seat, after: Desk, domain: DomainInfo, anew: bool = False) -> dict[Any, Any]:
        """On the page; another clip than the one that is there empties its place until it comes."""
        clip, decided = after.clip, len(after.decided)
        anew = anew or after.at != seat.desk.at or domain.name != seat.domain
        seat.desk, seat.domain, seat.seen = after, domain.name, seat.seen + anew
        found = {
            queue: after.refused or view.queue(after.which, after.queue, after.at, decided),
            decision: "" if after.refused else view.decision(domain, clip, after.told, decided),
        }
        return found | {shown: "", seen: seat.seen} if anew or not clip else found

    def look(name: str | None, seat: Seat, domains: tuple[DomainInfo, ...], key: str) -> Any:
        if not name:
            return gr.skip()
        with seat.in_turn:  # what was decided last may have been of another domain
            desk = seat.desk if seat.domain == name else Desk()
            domain = shared.domain_of(domains, name)
            return put(seat, teach_desk.opened(shared.client.with_key(key), domain, desk), domain)

    def act(
        name: str | None,
        seat: Seat,
        domains: tuple[DomainInfo, ...],
        key: str,
        event: gr.EventData,
    ) -> Any:
        if not name:
            return gr.skip()
        client = shared.client.with_key(key)
        with seat.in_turn:
            if seat.domain != name:  # the list is still that of another one
                return gr.skip()
            clip = teach_desk.find(seat.desk, event_field(event, "clip"))
            domain = shared.domain_of(domains, name)
            after = _acted(client, domain, seat.desk, clip, event)
            return put(seat, after, domain, anew=event_field(event, "act") == "show")

    def play(name: str | None, seat: Seat, domains: tuple[DomainInfo, ...], key: str) -> str:
        clip = seat.desk.clip
        if not name or not clip:
            return ""
        client, domain = shared.client.with_key(key), shared.domain_of(domains, name)
        try:
            return _seen(client, domain, clip)
        except (ServiceError, TelltaleError) as error:
            return view.seen(clip, note(words(error), "warn"))

    outputs = [queue, shown, decision, seen]
    # Only what comes by a stream tells the browser that a state has changed.
    for moment in (tab.select, shared.signals.teach):
        moment(look, asked, outputs, trigger_mode="always_last", **STREAMED)
    for part in (queue, decision):
        part.click(act, asked, outputs, **STREAMED)
    # Else a clip chosen while another one is on its way would never be shown.
    seen.change(play, asked, shown, trigger_mode="always_last", concurrency_limit=8, **QUIET)


def _acted(
    client: Client, domain: DomainInfo, desk: Desk, clip: KeptClip | None, event: gr.EventData
) -> Desk:
    """The desk after what `event` asks for; as it was for what it does not know, or no longer."""
    match event_field(event, "act"), clip:
        case "list", _:
            which = event_field(event, "which")
            known = which if which in teach_desk.ASK else desk.which
            return teach_desk.opened(client, domain, Desk(known, decided=desk.decided))
        case "undo", _:
            return teach_desk.undone(client, domain.name, desk)
        case "show", KeptClip():
            return teach_desk.shown(desk, clip)
        case "next", _:
            return teach_desk.stepped(desk, 1)
        case "previous", _:
            return teach_desk.stepped(desk, -1)
        case "accept", KeptClip():
            return teach_desk.accepted(client, domain.name, desk, clip, event_field(event, "label"))
        case "reject", KeptClip():
            return teach_desk.rejected(
                client, domain.name, desk, clip, event_field(event, "reason")
            )
        case "forget", KeptClip():
            return teach_desk.forgotten(client, domain.name, desk, clip)
    return desk


def _seen(client: Client, domain: DomainInfo, clip: KeptClip) -> str:
    raw = (
        client.predicted_clip(domain.name, clip.number)
        if isinstance(clip, Unsure)
        else client.content(domain.name, clip.clip)
    )
    found = _heard(client, domain.name, raw)
    figure = (
        sound_figure.played(raw, domain, found)
        if domain.modality == "audio"
        else _photograph(client, domain, clip, raw, found)
    )
    return view.seen(clip, view.views(clip, found) + figure)


def _heard(client: Client, domain: str, raw: bytes) -> Prediction | None:
    """The model's own view helps to decide; without it one can decide all the same."""
    try:
        return client.predict(domain, raw, evidence=True)
    except ServiceError:
        return None


def _photograph(
    client: Client, domain: DomainInfo, clip: KeptClip, raw: bytes, found: Prediction | None
) -> str:
    mask = client.mask(domain.name, clip.clip) if clip.mask else None
    figures = [photograph_figure.shown(raw, mask, domain)]
    for number, waits in enumerate(view.masked(clip), 1):
        mask = client.correction_mask(domain.name, waits.receipt)
        figures += [
            heading(t("Correction {number}", number=number)),
            photograph_figure.shown(raw, mask, domain),
        ]
    if found:
        figures += [heading(t("The model")), photograph_figure.drawn(raw, domain, found)]
    return "".join(figures)
