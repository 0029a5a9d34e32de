"""A mask drawn on the photograph that was answered: the tools, and the mask at its own size."""

import base64
from typing import Any

import gradio as gr
import numpy as np

from data.domains.sections import PhotoLimitSpec
from data.media.image.photograph import decode_mask, encode_mask, resize_mask
from serve_app.client.answers import DomainInfo, MaskEvidence, Prediction
from serve_app.ui.shared import script
from serve_app.ui.words.translate import t


def _tools() -> str:
    return (
        f'<button type="button" class="tt-mini" data-do="begin">{t("Draw on the photograph")}'
        f'</button><div class="tt-tools" role="group" aria-label="{t("Drawing")}">'
        f'<fieldset class="tt-chips"><legend class="tt-unseen">{t("Pen")}</legend>'
        f'<label><input type="radio" name="pen" checked><span>{t("Draw")}</span></label>'
        f'<label><input type="radio" name="pen" id="erase"><span>{t("Erase")}</span></label>'
        f'</fieldset><label>{t("Width")} <input type="range" name="width" min="2" max="40" '
        f'value="8"></label><button type="button" class="tt-mini" data-do="undo">{t("Undo")}'
        f'</button><button type="button" class="tt-mini" data-do="use">{t("Use this mask")}'
        '</button></div><p class="tt-small tt-said" role="status"></p>'
    )


def drawing_tools() -> Any:
    """With the event `upload`, of what was drawn. Gradio's own ImageEditor would load 0.64 MB."""
    return gr.HTML(
        f"<form>{_tools()}</form>",
        js_on_load=script("mask.js"),
        apply_default_css=False,
        elem_id="draw",
    )


def full_size(drawn: bytes, domain: DomainInfo, found: Prediction) -> bytes:
    """What was drawn over the picture as a PNG of the photograph's own size: where nothing was
    changed it is the model's mask, to the pixel. Raises ClipError."""
    limits = PhotoLimitSpec(max_bytes=domain.limits.max_bytes, max_pixels=domain.limits.max_pixels)
    mask = decode_mask(drawn, limits)
    width_px, height_px = found.clip.width_px, found.clip.height_px
    whole = resize_mask(mask, width_px, height_px)
    if isinstance(found.evidence, MaskEvidence):
        answered = decode_mask(base64.b64decode(found.evidence.mask_png), limits)
        changed = mask ^ resize_mask(answered, mask.shape[1], mask.shape[0])
        whole = np.where(resize_mask(changed, width_px, height_px), whole, answered)
    return encode_mask(whole)
