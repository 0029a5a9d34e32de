"""The Predict tab: a clip in, an answer with its evidence out; and a correction where it is wrong.

The answer is shown as soon as the service gives it. The figure is computed here, from the same
bytes, and follows a moment later.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from data.errors import TelltaleError
from serve_app.client.answers import DomainInfo
from serve_app.client.connection import ServiceError
from serve_app.ui.asking import ask
from serve_app.ui.figures import photograph_figure, sound_figure
from serve_app.ui.markup import note
from serve_app.ui.shared import QUIET, Shared, find, html
from serve_app.ui.tabs import predict_view as view
from serve_app.ui.wording import LOOK_AGAIN_S, again_in_s, with_again, words

AUDIO = {".wav", ".flac", ".ogg", ".mp3", ".m4a", ".webm", ".opus"}
FIGURES = {"audio": sound_figure.drawn, "image": photograph_figure.drawn}
WRONG = {"audio": "That's wrong: it is …", "image": "That's wrong: there is …"}


def build(shared: Shared, examples: Path | None = None) -> None:
    with gr.Row(elem_classes="tt-columns"):
        with gr.Column(scale=4, min_width=300):
            clip = gr.Audio(
                label="Clip",
                sources=["upload", "microphone"],
                type="filepath",
                elem_id="clip",
                editable=False,
                buttons=[],
            )
            # A plain file: Gradio would open the picture itself, and knows fewer kinds.
            photo = gr.File(label="Photograph", type="filepath", elem_id="photo", visible=False)
            listen_button = gr.Button("Listen", variant="primary", elem_id="listen")
            paths = _example_paths(examples)
            shown = _examples(clip, paths)
        with gr.Column(scale=7, min_width=300):
            answer = html(view.EMPTY, elem_id="answer")
            figure = html(elem_id="figure")
            with gr.Row(elem_classes=["tt-actions", "tt-wrong"]):
                right = gr.Dropdown(
                    label="That's wrong: it is …",
                    choices=[],
                    filterable=False,
                    elem_id="right",
                    elem_classes="tt-plain",
                )
                mask = gr.File(
                    label="or a mask: white where it is, as large as the photograph",
                    type="filepath",
                    elem_id="mask",
                    visible=False,
                    height=110,
                )
                send_button = gr.Button("Send correction", elem_id="send")
            thanks = html()
            receipt, check_button, life = _receipt_box()

    heard_in = gr.State("")  # the domain that the answer is of
    again = gr.Timer(LOOK_AGAIN_S, active=False)
    stopped = gr.update(active=False)

    def listen(
        sound: str | None,
        picture: str | None,
        name: str | None,
        domains: tuple[DomainInfo, ...],
        key: str,
        request: gr.Request,
    ) -> Iterator[dict[Any, Any]]:
        if not (picture or sound):
            yield {answer: view.failure("Choose or record a clip first."), figure: ""}
            return
        yield {answer: view.LISTENING, figure: "", thanks: ""}
        yield from hear(sound, picture, name, domains, key, request)

    def hear(
        sound: str | None,
        picture: str | None,
        name: str | None,
        domains: tuple[DomainInfo, ...],
        key: str,
        request: gr.Request,
    ) -> Iterator[dict[Any, Any]]:
        path = picture or sound  # the one that is not shown is empty
        if not path:
            yield {again: stopped}
            return
        raw = Path(path).read_bytes()
        try:
            # The clip may be here before the first answer to "which domains are there?" is.
            domains = domains or shared.client.domains()
            domain = find(domains, name or domains[0].name)
            caller = shared.client_of(key, request).impatient()
            anybody = shared.client_of("", request).impatient()
            found, without_key = ask(caller, anybody, domain.name, raw, Path(path).name)
        except (ServiceError, TelltaleError) as error:
            wait_s = again_in_s(error)
            timer = gr.update(value=wait_s, active=True) if wait_s else stopped
            yield {answer: view.failure(with_again(error)), again: timer}
            return
        yield {
            answer: view.answer(found) + without_key,
            right: gr.update(choices=view.choices(domain, found), value=None),
            mask: None,
            again: stopped,
            # Of no domain yet: the page stands as for recordings until one is chosen.
            heard_in: domain.name if name or domain.modality == "audio" else "",
        }
        yield {figure: FIGURES[domain.modality](raw, domain, found)}

    def send(
        sound: str | None,
        picture: str | None,
        label: str | None,
        drawn: str | None,
        name: str,
        key: str,
        request: gr.Request,
    ) -> dict[Any, Any]:
        path = picture or sound
        if not path or not (label or drawn):
            return {thanks: note("Choose what is right first.", "warn")}
        try:
            taken = shared.client_of(key, request).correct(
                name,
                Path(path).read_bytes(),
                label or "",
                name=Path(path).name,
                mask=Path(drawn).read_bytes() if drawn else None,
            )
        except ServiceError as error:
            return {thanks: note(words(error), "bad")}
        return {thanks: view.thanks(taken), receipt: taken.receipt, life: ""}

    def check(number: str, name: str) -> str:
        if not number.strip():
            return note("Enter the number of a receipt first.", "warn")
        try:
            return view.life_line(shared.client.receipt(name, number.strip()))
        except ServiceError as error:
            return note(words(error), "bad")

    def clear() -> dict[Any, Any]:
        return {answer: view.EMPTY, figure: "", thanks: "", again: stopped}

    def turn_to(name: str | None, domains: tuple[DomainInfo, ...], heard: str) -> Any:
        """An answer of this very domain stays: its clip may have been here first."""
        if not name or name == heard:
            return gr.skip()
        return clear() | way_in(name, domains)

    def way_in(name: str, domains: tuple[DomainInfo, ...]) -> dict[Any, Any]:
        """The one for this domain's kind of clips; the other one is emptied."""
        modality = find(domains, name).modality if domains else "audio"
        hears = modality == "audio"
        return {
            heard_in: name,
            clip: gr.update(visible=hears) if hears else gr.update(visible=False, value=None),
            photo: gr.update(visible=False, value=None) if hears else gr.update(visible=True),
            mask: gr.update(visible=not hears, value=None),
            right: gr.update(label=WRONG[modality], choices=[], value=None),
            listen_button: gr.update(value="Listen" if hears else "Look"),
        }

    def choose(example: tuple[int, Any], domains: tuple[DomainInfo, ...]) -> dict[Any, Any]:
        """With all that its domain needs: the domain's own change would empty the answer."""
        name = paths[example[0]].parent.name
        return way_in(name, domains) | {shared.domain: gr.update(value=name)}

    told = [answer, figure, right, mask, thanks, again, heard_in]
    asked = [clip, photo, shared.domain, shared.domains, shared.key]
    begun = [clip.upload, clip.stop_recording, photo.upload, listen_button.click]
    ways = [heard_in, clip, photo, mask, right, listen_button]
    if shown:
        chosen = [shown.dataset, shared.domains]
        event = shown.load_input_event.then(choose, chosen, [shared.domain, *ways], **QUIET)
        begun.append(event.then)
    for moment in begun:
        moment(listen, asked, told, concurrency_limit=16, **QUIET)
    again.tick(hear, asked, told, concurrency_limit=16, **QUIET)
    for moment in (clip.clear, photo.clear):
        moment(clear, None, told, **QUIET)
    turning = [shared.domain, shared.domains, heard_in]
    shared.domain.change(turn_to, turning, [answer, figure, thanks, again, *ways], **QUIET)
    send_button.click(
        send,
        [clip, photo, right, mask, shared.domain, shared.key],
        [thanks, receipt, life],
        **QUIET,
    )
    for moment in (check_button.click, receipt.submit):
        moment(check, [receipt, shared.domain], life, **QUIET)


def _receipt_box() -> tuple[Any, Any, Any]:
    with gr.Accordion("Check a receipt", open=False, elem_id="receipts"):
        receipt = gr.Textbox(
            label="Receipt", placeholder="the number you were given", elem_classes="tt-plain"
        )
        button = gr.Button("Check my receipt", elem_id="check")
        life = html(elem_id="life")
    return receipt, button, life


def _example_paths(folder: Path | None) -> list[Path]:
    """Clips from `<folder>/<domain>/`"""
    found = sorted(folder.glob("*/*") if folder else ())
    return [path for path in found if path.suffix.lower() in AUDIO]


def _examples(clip: Any, paths: list[Path]) -> Any:
    """None where there are none; a click chooses the domain, too."""
    if not paths:
        return None
    shown = gr.Examples(
        [str(path) for path in paths],
        clip,
        example_labels=[path.stem for path in paths],
        label="Or try one",
        api_visibility="private",
    )

    return shown
