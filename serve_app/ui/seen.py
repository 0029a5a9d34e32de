"""From a photograph's bytes and the service's answer to a figure with the mask laid over it."""

import base64
import io

import numpy as np
from PIL import Image

from data.errors import ClipError
from data.image import decode, decode_mask, resize_mask
from data.sections import PhotoLimitSpec
from serve_app.answers import DomainInfo, MaskEvidence, Prediction
from serve_app.ui.markup import text

SHOWN_PX = 1024  # as much as a wide screen shows
GLOW = (255, 64, 48, 190)


def drawn(raw: bytes, domain: DomainInfo, found: Prediction) -> str:
    """No figure is no reason to spoil an answer already given."""
    limits = _limits(domain)
    try:
        pixels = decode(raw, SHOWN_PX, 1, limits).pixels
        layer = _layer(found, pixels.shape[1], pixels.shape[0], limits)
    except ClipError:
        return ""
    photograph = _picture(Image.fromarray(pixels), "JPEG", "tt-photo")
    return (
        f'<figure class="tt-seen" role="img" aria-label="{_describe(found)}">{photograph}{layer}'
        "</figure>"
    )


def shown(raw: bytes, domain: DomainInfo) -> str:
    """The photograph alone; raises ClipError."""
    pixels = decode(raw, SHOWN_PX, 1, _limits(domain)).pixels
    photograph = _picture(Image.fromarray(pixels), "JPEG", "tt-photo")
    return f'<figure class="tt-seen" role="img" aria-label="The photograph">{photograph}</figure>'


def _limits(domain: DomainInfo) -> PhotoLimitSpec:
    return PhotoLimitSpec(max_bytes=domain.limits.max_bytes, max_pixels=domain.limits.max_pixels)


def _layer(found: Prediction, width: int, height: int, limits: PhotoLimitSpec) -> str:
    if not isinstance(found.evidence, MaskEvidence):
        return ""
    mask = decode_mask(base64.b64decode(found.evidence.mask_png), limits)
    glow = np.zeros((height, width, 4), np.uint8)
    glow[resize_mask(mask, width, height)] = GLOW
    return _picture(Image.fromarray(glow), "PNG", "tt-mask")


def _picture(image: Image.Image, container: str, css: str) -> str:
    out = io.BytesIO()
    image.save(out, container)
    address = base64.b64encode(out.getvalue()).decode()
    return f'<img class="{css}" alt="" src="data:image/{container.lower()};base64,{address}">'


def _describe(found: Prediction) -> str:
    words = f"The photograph; the answer is {found.label}."
    if found.measure is not None and found.measure.area_percent > 0:
        words += f" What is marked covers {found.measure.area_percent:.1f} % of it."
    return text(words)
