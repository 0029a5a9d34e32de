"""What `gradio_client` may call by name: /predict, /correct and /domains.

    Client("http://127.0.0.1:8000/ui/").predict(handle_file("pump.wav"), api_name="/predict")

They have components of their own, which nobody sees: Gradio then checks the files that they are
given as it checks those of the page.
"""

from pathlib import Path
from typing import Any

import gradio as gr

from data.errors import ClipTooLarge, UnknownName
from serve_app.client.answers import DomainInfo
from serve_app.client.connection import ServiceError
from serve_app.ui.shared import Shared, read_within

REFUSED = (ServiceError, UnknownName, ClipTooLarge)
NAMED = {"api_visibility": "public", "show_progress": "hidden", "concurrency_limit": 16}


def build(shared: Shared) -> None:
    def predict(clip: str | None, domain: str, key: str, request: gr.Request) -> dict[str, Any]:
        """One clip, the domain it is asked of (the first where none is named) and a key, which is
        not needed. Answers as POST /predict does."""
        try:
            asked, of = shared.client_of(key, request), shared.domain_of((), domain)
            name, raw = _read(clip, of)
            found = asked.predict(of.name, raw, name=name)
        except REFUSED as error:
            raise gr.Error(str(error), print_exception=False) from error
        return found.model_dump(mode="json", exclude_unset=True)

    def correct(
        clip: str | None,
        label: str,
        domain: str,
        key: str,
        request: gr.Request,
        mask: str | None = None,
    ) -> dict[str, Any]:
        """A clip and its right label, of a photograph with what is sought a mask. Without a
        contributor's key it waits for an admin. Answers as POST /feedback does."""
        try:
            asked, of = shared.client_of(key, request), shared.domain_of((), domain)
            name, raw = _read(clip, of)
            drawn = read_within(Path(mask), of) if mask else None
            kept = asked.correct(of.name, raw, label, name=name, mask=drawn)
        except REFUSED as error:
            raise gr.Error(str(error), print_exception=False) from error
        return kept.model_dump(mode="json", exclude_unset=True)

    def domains() -> list[dict[str, Any]]:
        """What may be asked, each with its labels. Answers as GET /domains does."""
        try:
            found = shared.client.domains()
        except ServiceError as error:
            raise gr.Error(str(error), print_exception=False) from error
        return [domain.model_dump(mode="json", exclude_unset=True) for domain in found]

    clip = gr.File(label="Clip", type="filepath", visible=False)
    mask = gr.File(label="Mask", type="filepath", visible=False)
    label, domain, key = (
        gr.Textbox(label=name, value="", visible=False) for name in ("Label", "Domain", "Key")
    )
    answer, event = gr.JSON(visible=False), gr.Button(visible=False).click
    event(predict, [clip, domain, key], answer, api_name="predict", **NAMED)
    event(correct, [clip, label, domain, key, mask], answer, api_name="correct", **NAMED)
    event(domains, None, answer, api_name="domains", **NAMED)


def _read(path: str | None, domain: DomainInfo) -> tuple[str, bytes]:
    if not path:
        raise gr.Error("there is no clip; send one as handle_file(...)", print_exception=False)
    return Path(path).name, read_within(Path(path), domain)
