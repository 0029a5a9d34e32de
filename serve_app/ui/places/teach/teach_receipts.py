"""Receipts of corrections sent with the key of whoever looks, each with its life line."""

from typing import Any

import gradio as gr

from serve_app.client.answers import Receipt
from serve_app.client.calls.teaching import LISTED
from serve_app.client.connection import ServiceError
from serve_app.ui.markup import Tone, ago, badge, note
from serve_app.ui.places.receipt_timeline import changed, number_of, timeline
from serve_app.ui.shared import QUIET, Shared, html
from serve_app.ui.wording import words
from serve_app.ui.words.translate import t

TONES: dict[str, Tone] = {"accepted": "calm", "quarantined": "warn", "rejected": "bad"}


def build(shared: Shared, tab: Any) -> None:
    receipts = html(elem_id="my-receipts")

    def look(name: str | None, key: str) -> Any:
        if not name:
            return gr.skip()
        if not key:
            return note(t("With a key, its corrections are listed here."))
        try:
            return listed(shared.client.with_key(key).own_receipts(name))
        except ServiceError as error:
            return note(words(error), "warn")

    for moment in (tab.select, shared.signals.teach):
        asked = [shared.domain, shared.key]
        moment(look, asked, receipts, trigger_mode="always_last", **QUIET)


def listed(found: tuple[Receipt, ...]) -> str:
    if not found:
        return note(t("No correction was sent with this key."))
    lines = "".join(
        f'<details class="tt-more"><summary><b>{changed(line)}</b> '
        f"{_state(line)} {ago(line.created)}</summary>{timeline(line)}"
        f'<p class="tt-small">{number_of(line)}</p></details>'
        for line in found
    )
    rest = note(t("The last {count} are listed.", count=LISTED)) if len(found) == LISTED else ""
    return lines + rest


def _state(line: Receipt) -> str:
    if line.version:
        return badge(t("learnt in version {version}", version=line.version), "good")
    return badge(t(line.state), TONES[line.state])
