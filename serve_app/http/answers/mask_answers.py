"""What is answered of a photograph: its sides, what was measured in it and, if asked, the mask."""

import base64
from dataclasses import asdict
from typing import Any

from data.arrays import Mask
from data.media.image.photograph import encode_mask, resize_mask
from data.media.prepare import Prepared
from models.masks import measure, run_lengths


def mask_fields(prepared: Prepared, mask: Mask | None, evidence: bool) -> dict[str, Any]:
    """The mask [H, W] is as the network saw the photograph; everything here is told in the pixels
    of the photograph as it was sent."""
    assert mask is not None, "a photograph was answered without a mask"
    sides = prepared.width_px, prepared.height_px
    measured = asdict(measure(mask, *sides))
    return {
        "clip": {
            "width_px": prepared.width_px,
            "height_px": prepared.height_px,
            "container": prepared.container,
        },
        "evidence": _mask_evidence(resize_mask(mask, *sides)) if evidence else None,
        "measure": {name: round(value, 3) for name, value in measured.items()},
    }


def _mask_evidence(mask: Mask) -> dict[str, Any]:
    return {
        "mask_png": base64.b64encode(encode_mask(mask)).decode(),
        "mask_rle": {"size": list(mask.shape), "counts": run_lengths(mask)},
    }
