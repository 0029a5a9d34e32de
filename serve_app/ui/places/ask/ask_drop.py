"""The drop zone of Ask: files, several or one, a recording of the microphone, or an example."""

from pathlib import Path
from typing import Any

import gradio as gr

from serve_app.client.answers import DomainInfo
from serve_app.ui import header
from serve_app.ui.guard import MAX_FILES, MAX_UPLOAD_BYTES
from serve_app.ui.markup import text
from serve_app.ui.places.ask.given import Given
from serve_app.ui.shared import script
from serve_app.ui.words.translate import t


def _template() -> str:
    return (
        f'<div class="tt-drop" data-most-bytes="{MAX_UPLOAD_BYTES}" data-most-files="{MAX_FILES}">'
        '<div class="tt-ways"><button type="button" data-do="record">'
        f'{t("Record")}</button><button type="button" data-do="live">'
        f'{t("Live")}</button><button type="button" data-do="choose">{t("Choose files")}</button>'
        f'</div><p class="tt-small">{t("or drop them here")}<span data-of="audio">'
        f"{t(', long recordings too')}</span></p>"
        f'<input type="file" multiple hidden aria-label="{t("Files")}">'
        '<p class="tt-said" role="status" hidden></p><button type="button" class="tt-mini" '
        f'data-do="stop" hidden>{t("Stop")}</button></div>${{value}}'
    )


def _live() -> str:
    return (
        '<section class="tt-card tt-live" hidden><p class="tt-said" role="status"></p>'
        '<figure class="tt-scope" role="img" '
        f'aria-label="{t("Spectrogram of what the microphone hears")}">'
        '<canvas></canvas><div class="tt-words"></div></figure>'
        f'<ol aria-live="polite" aria-label="{t("The last ten detections")}"></ol></section>'
    )


def live_panel() -> Any:
    """With the event `upload`, of a moment that was heard live."""
    return gr.HTML(_live(), js_on_load=script("live.js"), apply_default_css=False, elem_id="live")


def drop_zone() -> Any:
    """With the events `upload` and `example`."""
    return gr.HTML(
        "",
        html_template=_template(),
        js_on_load=script("drop.js"),
        apply_default_css=False,
        elem_id="drop",
    )


def offered(domain: DomainInfo, examples: list[Path]) -> str:
    """What stands below the zone: limits, and examples to try."""
    live = f' data-live="{domain.name}"' if domain.live else ""
    limits = (
        f'<p class="tt-small" data-modality="{domain.modality}"{live}>{header.limits(domain)}</p>'
    )
    buttons = "".join(
        f'<button type="button" data-example="{number}">{text(name_of(path))}</button>'
        for number, path in enumerate(examples)
    )
    if not buttons:
        return limits
    try_one = f'<p class="tt-small">{t("Or try one:")}</p>'
    return f'{limits}{try_one}<div class="tt-examples">{buttons}</div>'


def dropped(event: gr.EventData) -> tuple[Given, ...]:
    """The guard has seen that each path is of a file that was uploaded here."""
    return tuple(
        Given(
            str(file["name"])[:200],
            Path(file["path"]),
            recording=str(file.get("recording", ""))[:60],
        )
        for file in event._data["files"]
    )


def name_of(path: Path) -> str:
    return t(path.stem.replace("_", " "))
