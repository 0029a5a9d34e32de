"""A correction of the answer in Ask: by label or mask, or that it was right, and taught at once."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from data.errors import InvalidParameter
from serve_app.client.answers import Receipt
from serve_app.client.client import Client
from serve_app.ui.markup import note
from serve_app.ui.places.ask import ask_card as card
from serve_app.ui.places.ask.ask_answers import (
    FIGURES,
    GONE,
    REFUSED,
    Parts,
    Shown,
    Turns,
    latest,
)
from serve_app.ui.places.ask.ask_mask import full_size
from serve_app.ui.places.ask.ask_teach import Asked, as_answered, sent, taught
from serve_app.ui.places.receipt_timeline import thanks
from serve_app.ui.shared import QUIET, STREAMED, Shared, read_within
from serve_app.ui.wording import words
from serve_app.ui.words.translate import t


def wire_corrections(
    shared: Shared, parts: Parts, *, right: Any, send: Any, teach: Any, draw: Any
) -> None:

    def say(asked: Asked | None, label: str | None, drawn: str | None, client: Client) -> Receipt:
        """Raises ServiceError, TelltaleError and FileNotFoundError."""
        if asked is None or not (label or drawn):
            raise InvalidParameter("choose what is right first")
        mask = read_within(Path(drawn), asked.domain) if drawn else None
        return sent(client, asked, label or "", mask)

    def say_wrong(
        asked: Asked | None,
        label: str | None,
        drawn: str | None,
        key: str,
        turns: Turns,
        request: gr.Request,
    ) -> Any:
        client = shared.client_of(key, request)
        return _outcome(turns, lambda: say(asked, label, drawn, client))

    def say_right(asked: Asked | None, key: str, turns: Turns, request: gr.Request) -> Any:
        if asked is None:  # the answer went while the button was pressed
            return ""
        client = shared.client_of(key, request)
        return _outcome(turns, lambda: sent(client, asked, *as_answered(asked)))

    def teach_now(
        asked: Asked,
        label: str | None,
        drawn: str | None,
        key: str,
        turns: Turns,
        request: gr.Request,
    ) -> Iterator[Shown]:
        client = shared.client_of(key, request)
        try:
            receipt = say(asked, label, drawn, client)
            over = turns.begin(asked.domain.name, beside=True)
            yield from latest(over, _followed(parts, client, asked, receipt))
        except REFUSED as error:
            yield {parts.outcome: _refused(error)}

    chosen = [parts.asked, parts.label, parts.mask, shared.key, parts.turns]
    send.click(say_wrong, chosen, parts.outcome, **QUIET)
    right.click(say_right, [parts.asked, shared.key, parts.turns], parts.outcome, **QUIET)
    teach.click(teach_now, chosen, parts.told, concurrency_limit=8, **STREAMED)
    draw.upload(take_drawn, parts.asked, [parts.mask, parts.outcome], **QUIET)


def _outcome(turns: Turns, send: Callable[[], Receipt]) -> Any:
    """Of the answer that is shown: below another one, that has come meanwhile, nothing is said."""
    over = turns.over()
    try:
        said = thanks(send())
    except REFUSED as error:
        said = _refused(error)
    return gr.skip() if over() else said


def take_drawn(asked: Asked | None, event: gr.EventData) -> tuple[Any, Any]:
    """The guard has seen that the path is of a file that was uploaded here."""
    drawn = Path(event._data["path"])
    if asked is None:  # the answer went meanwhile
        return gr.skip(), gr.skip()
    try:
        raw = full_size(read_within(drawn, asked.domain), asked.domain, asked.found)
    except REFUSED as error:
        return gr.skip(), _refused(error)
    drawn.write_bytes(raw)  # in its place, which is swept in time
    return str(drawn), ""


def _followed(parts: Parts, client: Client, asked: Asked, receipt: Receipt) -> Iterator[Shown]:
    """From received to live; then the card is turned over to what is answered now."""
    for said in taught(client, asked, receipt):
        yield {parts.outcome: said}
    domain, given = asked.domain, asked.given
    try:
        raw = given.read(domain)
        now = client.predict(domain.name, raw, name=given.name, evidence=True)
    except REFUSED:  # what became of the correction is said already
        return
    if now.model.digest == asked.found.model.digest:
        return
    yield {
        parts.answer: card.answer(
            now, t("The answer of version {version}", version=now.model.version)
        ),
        parts.asked: Asked(given, domain, now),
        parts.label: gr.update(choices=card.choices(domain, now), value=None),
        parts.figure: FIGURES[domain.modality](raw, domain, now),
    }


def _refused(error: Exception) -> str:
    if isinstance(error, InvalidParameter):
        return note(words(error), "warn")
    return note(t(GONE) if isinstance(error, FileNotFoundError) else words(error), "bad")
