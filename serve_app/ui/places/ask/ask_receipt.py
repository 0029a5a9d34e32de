"""What became of a correction, by the number that whoever sent it was given."""

import gradio as gr

from serve_app.client.connection import ServiceError
from serve_app.ui.markup import note
from serve_app.ui.places.receipt_timeline import timeline
from serve_app.ui.shared import QUIET, Shared, html
from serve_app.ui.wording import words
from serve_app.ui.words.translate import t


def receipt_box(shared: Shared) -> None:
    def check(number: str, name: str) -> str:
        if not number.strip():
            return note(t("Enter the number of a receipt first."), "warn")
        try:
            return timeline(shared.client.receipt(name, number.strip()))
        except ServiceError as error:
            return note(words(error), "bad")

    with gr.Accordion(t("Check a receipt"), open=False, elem_id="receipts"):
        receipt = gr.Textbox(
            label=t("Receipt"),
            placeholder=t("the number you were given"),
            elem_classes="tt-plain",
        )
        button = gr.Button(t("Check my receipt"), elem_id="check")
        life = html(elem_id="life")
    for moment in (button.click, receipt.submit):
        moment(check, [receipt, shared.domain], life, **QUIET)
