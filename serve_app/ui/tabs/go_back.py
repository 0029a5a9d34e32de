"""The way back to an earlier version: it is named, and asked about before anything happens."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from serve_app.ui.markup import note
from serve_app.ui.shared import QUIET, html

NOWHERE = "No earlier version to go back to"


@dataclass(frozen=True)
class GoBack:
    ask: Any
    target: Any  # gr.State of str: the version that would serve
    row: Any
    question: Any
    sure: Any
    keep: Any

    @property
    def shown(self) -> list[Any]:
        """What `to` sets."""
        return [self.ask, self.target, self.row]

    def to(self, version: str | None) -> dict[Any, Any]:
        words = f"Go back to version {version}" if version else NOWHERE
        return {
            self.ask: gr.update(value=words, interactive=version is not None),
            self.target: version or "",
            self.row: gr.update(visible=False),
        }

    def wire(self) -> None:
        def asked(version: str) -> dict[Any, Any]:
            words = (
                f"Version {version} will answer on every replica. What later versions have learnt "
                "is not lost: each of them can be promoted again."
            )
            return {self.row: gr.update(visible=True), self.question: note(words, "warn")}

        self.ask.click(asked, self.target, [self.row, self.question], **QUIET)
        self.keep.click(lambda: gr.update(visible=False), None, self.row, **QUIET)


def build() -> GoBack:
    with gr.Row(elem_classes="tt-actions"):
        ask = gr.Button(NOWHERE, elem_id="roll-back", interactive=False, min_width=220)
    with gr.Column(visible=False, elem_id="going-back") as row:
        question = html()
        with gr.Row(elem_classes="tt-actions"):
            sure = gr.Button("Yes, go back", variant="stop", elem_id="sure", min_width=140)
            keep = gr.Button("Keep what serves", elem_id="keep", min_width=140)
    return GoBack(ask, gr.State(""), row, question, sure, keep)
