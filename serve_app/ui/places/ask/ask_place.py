"""The place Ask: a clip in, an answer with its evidence out; and a correction where it is wrong.
Several clips and long recordings are answered in a panel, which opens any of them as the clip."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from serve_app.client.answers import DomainInfo
from serve_app.client.connection import ServiceError
from serve_app.ui.places.ask import ask_card as card
from serve_app.ui.places.ask.ask_answers import (
    Caller,
    Parts,
    Shown,
    Turns,
    beside,
    hear_given,
    hear_one,
    hear_several,
    latest,
    show_again,
    stopped,
    turned_away,
)
from serve_app.ui.places.ask.ask_correct import wire_corrections
from serve_app.ui.places.ask.ask_drop import (
    drop_zone,
    dropped,
    live_panel,
    name_of,
    offered,
)
from serve_app.ui.places.ask.ask_examples import examples_of
from serve_app.ui.places.ask.ask_mask import drawing_tools
from serve_app.ui.places.ask.ask_receipt import receipt_box
from serve_app.ui.places.ask.ask_recording import Ordered
from serve_app.ui.places.ask.ask_several import Row
from serve_app.ui.places.ask.given import Given
from serve_app.ui.shared import (
    QUIET,
    STREAMED,
    Shared,
    clickable,
    event_field,
    html,
    script,
)
from serve_app.ui.wording import LOOK_AGAIN_S, words
from serve_app.ui.words.translate import mark, t

READY = """() => {
  document.dispatchEvent(new Event("telltale-ready"));
  return [];
}"""
ITS = {"audio": mark("It is …"), "image": mark("There is …")}


def build_ask(shared: Shared, examples: Path | None = None) -> None:
    with gr.Row(elem_classes="tt-columns"):
        with gr.Column(scale=4, min_width=300):
            drop = drop_zone()
            history = clickable(elem_id="history")
        with gr.Column(scale=7, min_width=300):
            live = live_panel()
            panel = gr.HTML(
                "", js_on_load=script("panel.js"), apply_default_css=False, elem_id="several"
            )
            answer = html(card.empty(), elem_id="answer")
            with gr.Column(elem_classes="tt-wrong", elem_id="correct"):
                label = gr.Radio(
                    choices=[], label=t(ITS["audio"]), elem_id="its", elem_classes=["tt-chips"]
                )
                mask = gr.File(
                    label=t("or a mask: white where it is, as large as the photograph"),
                    type="filepath",
                    elem_id="mask",
                    visible=False,
                    height=150,
                )
                with gr.Row(elem_classes="tt-actions"):
                    right = gr.Button(t("Right"), elem_id="is-right", min_width=90)
                    send = gr.Button(t("Send correction"), elem_id="send", min_width=150)
                    teach = gr.Button(
                        t("Teach now"), variant="primary", elem_id="teach-now", min_width=120
                    )
            outcome = html(elem_id="outcome")
            draw = drawing_tools()
            figure = html(elem_id="figure")
            receipt_box(shared)
    parts = Parts(
        drop, live, panel, answer, figure, label, mask, outcome, gr.State(None), gr.State(None),
        gr.Timer(LOOK_AGAIN_S, active=False), gr.State(()), gr.State(()), gr.State(Turns()),
        history,
    )  # fmt: skip
    _wire_answers(shared, parts, examples)
    wire_corrections(shared, parts, right=right, send=send, teach=teach, draw=draw)


def _wire_answers(shared: Shared, parts: Parts, folder: Path | None) -> None:
    made, ordered = Path(os.environ["GRADIO_TEMP_DIR"], "examples"), Ordered()

    def caller_of(
        name: str | None,
        domains: tuple[DomainInfo, ...],
        key: str,
        turns: Turns,
        request: gr.Request,
    ) -> Caller:
        domain = shared.domain_of(domains, name)
        return Caller(shared.client_of(key, request), domain, turns, ordered)

    def hear_dropped(
        name: str | None,
        domains: tuple[DomainInfo, ...],
        key: str,
        turns: Turns,
        request: gr.Request,
        event: gr.EventData,
    ) -> Iterator[Shown]:
        try:
            caller = caller_of(name, domains, key, turns, request)
        except ServiceError as error:
            yield {parts.answer: card.failure(words(error))}
            return
        over = turns.begin(caller.domain.name)
        yield from latest(over, hear_given(parts, caller, dropped(event), over))

    def hear_example(
        name: str,
        domains: tuple[DomainInfo, ...],
        key: str,
        turns: Turns,
        request: gr.Request,
        event: gr.EventData,
    ) -> Iterator[Shown]:
        caller = caller_of(name, domains, key, turns, request)
        number, known = int(event._data["number"]), examples_of(caller.domain, folder, made)
        if number < len(known):  # else it was of the domain before
            given = [Given(name_of(known[number]), known[number])]
            over = turns.begin(caller.domain.name)
            yield from latest(over, hear_given(parts, caller, given, over))

    def open_listed(
        name: str,
        domains: tuple[DomainInfo, ...],
        key: str,
        turns: Turns,
        listed: tuple[Given, ...],
        rows: tuple[Row, ...],
        waiting: Given | tuple[Given, ...] | None,
        request: gr.Request,
        event: gr.EventData,
    ) -> Iterator[Shown]:
        number = int(event._data["number"])
        if number < len(listed):
            caller = caller_of(name, domains, key, turns, request)
            over, panel = turns.begin(caller.domain.name), beside(parts, rows, waiting)
            yield from latest(over, hear_one(parts, caller, listed[number], over, panel))

    def hear_again(
        name: str | None,
        domains: tuple[DomainInfo, ...],
        key: str,
        turns: Turns,
        given: Given | tuple[Given, ...] | None,
        rows: tuple[Row, ...],
        request: gr.Request,
    ) -> Iterator[Shown]:
        if not given:
            yield {parts.again: gr.update(active=False)}
            return
        caller = caller_of(name, domains, key, turns, request)
        over = turns.begin(caller.domain.name)
        if isinstance(given, Given):
            yield from latest(over, hear_one(parts, caller, given, over))
        else:
            yield from latest(over, hear_several(parts, caller, given, rows))

    def resume(
        name: str,
        domains: tuple[DomainInfo, ...],
        key: str,
        turns: Turns,
        request: gr.Request,
        event: gr.EventData,
    ) -> Iterator[Shown]:
        caller = caller_of(name, domains, key, turns, request)
        if given := ordered.find(caller.domain, event_field(event, "job")):
            over = turns.begin(caller.domain.name)
            yield from latest(over, hear_one(parts, caller, given, over))
        else:
            yield gr.skip()

    def turn_to(name: str, domains: tuple[DomainInfo, ...], _: str, turns: Turns) -> Shown:
        domain = shared.domain_of(domains, name)
        gone = turned_away(parts, turns, domain)
        none: dict[str, Any] = {"choices": [], "value": None} if gone else {}
        return gone | {
            parts.label: gr.update(label=t(ITS[domain.modality]), **none),
            parts.mask: gr.update(visible=domain.modality == "image", value=None),
        }

    def offer(name: str, domains: tuple[DomainInfo, ...]) -> Any:
        domain = shared.domain_of(domains, name)
        return offered(domain, examples_of(domain, folder, made))

    def open_past(
        turns: Turns,
        rows: tuple[Row, ...],
        waiting: Given | tuple[Given, ...] | None,
        event: gr.EventData,
    ) -> Shown:
        asked = turns.past.find(event_field(event, "number"))
        if asked is None:
            return {parts.outcome: ""}
        turns.begin(beside=True)
        return show_again(parts, asked) | beside(parts, rows, waiting)

    asked = [shared.domain, shared.domains, shared.key, parts.turns]
    # Of the 40 threads that Gradio has for everybody.
    busy = {"concurrency_id": "hear", "concurrency_limit": 16, **STREAMED}
    # What is given while another is heard is not to be dropped: the older one ends by `Turns`.
    at_once = busy | {"trigger_mode": "multiple"}
    for given in (parts.drop, parts.live):
        given.upload(hear_dropped, asked, parts.told, **at_once)
    parts.drop.example(hear_example, asked, parts.told, **at_once)
    of_panel = [parts.rows, parts.waiting]
    parts.panel.open(open_listed, [*asked, parts.listed, *of_panel], parts.told, **at_once)
    # By the same stream as what they end, or they would overtake the last of it on its way.
    parts.history.click(open_past, [parts.turns, *of_panel], parts.told, **STREAMED)
    parts.panel.stop(
        partial(stopped, parts),
        [parts.turns, parts.rows, parts.listed],
        [parts.panel, parts.waiting, parts.again],
        **STREAMED,
    )
    for moment, given in ((parts.again.tick, parts.waiting), (parts.panel.submit, parts.listed)):
        moment(hear_again, [*asked, given, parts.rows], parts.told, **busy)
    parts.panel.resume(resume, asked, parts.told, **at_once)
    # The answer goes by the stream of the one that may follow, which it must not overtake, and does
    # not wait for the examples, whose making takes a moment in which a clip may be given.
    shared.domain.change(turn_to, asked, parts.told, concurrency_limit=16, **STREAMED)
    turned = shared.domain.change(offer, [shared.domain, shared.domains], parts.drop, **QUIET)
    turned.then(None, None, None, js=READY, **QUIET)
