"""Teach: the review desk, clips to be added, and the receipts of whoever has a key."""

from typing import Any

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
from serve_app.ui.shared import QUIET, Shared, clickable, event_field, find, html, script
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


def _wire(shared: Shared, tab: Any, queue: Any, shown: Any, decision: Any) -> None:
    desk_state = gr.State(Desk())
    asked = [desk_state, shared.domain, shared.domains, shared.key]

    def drawn(desk: Desk, domain: DomainInfo, was: str = "") -> dict[Any, Any]:
        clip, decided = desk.clip, len(desk.decided)
        found = {
            desk_state: desk,
            queue: desk.refused
            or view.queue(
                desk.which, desk.queue, desk.at, decided, unsure=domain.keeps_predictions
            ),
            decision: "" if desk.refused else view.decision(domain, clip, desk.told, decided),
        }
        return found if clip and clip.clip == was else found | {shown: ""}

    def look(
        desk: Desk, name: str | None, domains: tuple[DomainInfo, ...], key: str
    ) -> dict[Any, Any]:
        if not name:
            return {desk_state: desk}
        opened = teach_desk.opened(shared.client.with_key(key), name, desk)
        return drawn(opened, find(domains, name), desk.at)

    def turn(name: str | None, domains: tuple[DomainInfo, ...], key: str) -> dict[Any, Any]:
        """What was decided last was of another domain."""
        return look(Desk(), name, domains, key)

    def act(
        desk: Desk,
        name: str | None,
        domains: tuple[DomainInfo, ...],
        key: str,
        event: gr.EventData,
    ) -> dict[Any, Any]:
        if not name:
            return {desk_state: desk}
        client = shared.client.with_key(key)
        clip = teach_desk.find(desk, event_field(event, "clip"))
        after = _acted(client, name, desk, clip, event)
        return drawn(after, find(domains, name), desk.at)

    def play(desk: Desk, name: str | None, domains: tuple[DomainInfo, ...], key: str) -> str:
        if not name or not desk.clip:
            return ""
        client, domain = shared.client.with_key(key), find(domains, name)
        try:
            return _seen(client, domain, desk.clip)
        except (ServiceError, TelltaleError) as error:
            return view.seen(desk.clip, note(words(error), "warn"))

    outputs = [desk_state, queue, shown, decision]
    # One after the other, in the order of the visitor's doing: a list that is still on its way when
    # a key is pressed would take back what the key has done.
    in_turn = {"concurrency_id": "desk", "concurrency_limit": 1, **QUIET}
    moments = (tab.select, *shared.key_entered)
    begun = [moment(look, asked, outputs, **in_turn) for moment in moments]
    begun.append(shared.domain.change(turn, asked[1:], outputs, **in_turn))
    begun += [part.click(act, asked, outputs, **in_turn) for part in (queue, decision)]
    for event in begun:
        # Else a clip chosen while another one is on its way would never be shown.
        event.then(play, asked, shown, trigger_mode="always_last", concurrency_limit=8, **QUIET)


def _acted(
    client: Client, domain: str, desk: Desk, clip: KeptClip | None, event: gr.EventData
) -> Desk:
    """The desk after what `event` asks for; as it was for what it does not know, or no longer."""
    match event_field(event, "act"), clip:
        case "list", _:
            which = event_field(event, "which")
            known = which if which in teach_desk.ASK else desk.which
            return teach_desk.opened(client, domain, Desk(known, decided=desk.decided))
        case "undo", _:
            return teach_desk.undone(client, domain, desk)
        case "show", KeptClip():
            return teach_desk.shown(desk, clip)
        case "next", _:
            return teach_desk.stepped(desk, 1)
        case "previous", _:
            return teach_desk.stepped(desk, -1)
        case "accept", KeptClip():
            return teach_desk.accepted(client, domain, desk, clip, event_field(event, "label"))
        case "reject", KeptClip():
            return teach_desk.rejected(client, domain, desk, clip, event_field(event, "reason"))
        case "forget", KeptClip():
            return teach_desk.forgotten(client, domain, desk, clip)
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
