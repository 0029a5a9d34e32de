"""From a photograph's bytes, and a mask answered or drawn, to a figure of one over the other."""

import base64
import io

import numpy as np
from PIL import Image

from data.domains.sections import PhotoLimitSpec
from data.errors import ClipError
from data.media.image.photograph import decode, decode_mask, resize_mask
from serve_app.client.answers import DomainInfo, MaskEvidence, Prediction
from serve_app.ui.markup import plain, text
from serve_app.ui.words.translate import t

SHOWN_PX = 1024  # as much as a wide screen shows
GLOW = (255, 64, 48)


def drawn(raw: bytes, domain: DomainInfo, found: Prediction) -> str:
    """No figure is no reason to spoil an answer already given."""
    evidence = found.evidence
    mask = base64.b64decode(evidence.mask_png) if isinstance(evidence, MaskEvidence) else None
    try:
        return _figure(raw, mask, domain, _describe(found))
    except ClipError:
        return ""


def shown(raw: bytes, mask: bytes | None, domain: DomainInfo) -> str:
    """A kept photograph under the mask it was given, if any; raises ClipError."""
    return _figure(raw, mask, domain, t("The photograph, and what was marked in it"))


def studied(raw: bytes, mask: bytes | None, domain: DomainInfo) -> str:
    """The same after a sentence of how much is marked; raises ClipError."""
    area = 0.0 if mask is None else 100 * float(decode_mask(mask, _limits(domain)).mean())
    return f"<p>{_covers(area)}</p>{shown(raw, mask, domain)}"


def _figure(raw: bytes, mask: bytes | None, domain: DomainInfo, words: str) -> str:
    limits = _limits(domain)
    pixels = decode(raw, SHOWN_PX, 1, limits).pixels
    photograph = _picture(Image.fromarray(pixels), "JPEG", "tt-photo")
    layer = "" if mask is None else _layer(mask, pixels.shape[1], pixels.shape[0], limits)
    return (
        f'<figure class="tt-seen" role="img" aria-label="{text(words)}">{photograph}{layer}'
        f"</figure>{_slider() if layer else ''}"
    )


def _limits(domain: DomainInfo) -> PhotoLimitSpec:
    return PhotoLimitSpec(max_bytes=domain.limits.max_bytes, max_pixels=domain.limits.max_pixels)


def _slider() -> str:
    """static/moments.js moves the mask by it."""
    return (
        f'<label class="tt-small tt-strength">{t("How strongly it is marked")} '
        '<input type="range" min="0" max="100" value="75"></label>'
    )


def _layer(png: bytes, width: int, height: int, limits: PhotoLimitSpec) -> str:
    mask = decode_mask(png, limits)
    glow = np.zeros((height, width, 4), np.uint8)
    glow[resize_mask(mask, width, height)] = (*GLOW, 255)
    return _picture(Image.fromarray(glow), "PNG", "tt-mask")


def _picture(image: Image.Image, container: str, css: str) -> str:
    out = io.BytesIO()
    image.save(out, container)
    address = base64.b64encode(out.getvalue()).decode()
    return f'<img class="{css}" alt="" src="data:image/{container.lower()};base64,{address}">'


def _describe(found: Prediction) -> str:
    words = t("The photograph; the answer is {label}.", label=plain(found.label))
    if found.measure is not None and found.measure.area_percent > 0:
        words += f" {_covers(found.measure.area_percent)}"
    return words


def _covers(area_percent: float) -> str:
    return t("What is marked covers {area:.1f} % of it.", area=area_percent)
