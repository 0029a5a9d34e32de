"""photo_copies.py: a photograph is known again, and no other is taken for it."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from data.domains.domain import load_domains
from data.quality.fingerprints import kind_of
from data.quality.photo_copies import COPY, find_copies, likeness

CRACKS = load_domains(names=("cracks",))["cracks"]
MAKE = kind_of(CRACKS).make


def photograph(seed: int) -> Image.Image:
    """A wall of spots, lit from one side."""
    rng = np.random.default_rng(seed)
    spots = Image.fromarray(rng.integers(60, 190, (24, 36), np.uint8)).resize((360, 240))
    light = np.linspace(0.6, 1.2, 360)
    return Image.fromarray((np.asarray(spots) * light).clip(0, 255).astype(np.uint8)).convert("RGB")


def sent(image: Image.Image, container: str = "PNG", **options: int) -> bytes:
    out = io.BytesIO()
    image.save(out, container, **options)
    return out.getvalue()


COPIES: dict[str, Callable[[Image.Image], bytes]] = {
    "JPEG again": lambda image: sent(image, "JPEG", quality=40),
    "smaller": lambda image: sent(image.resize((150, 100))),
    "larger": lambda image: sent(image.resize((900, 600))),
    "brighter": lambda image: sent(ImageEnhance.Brightness(image).enhance(1.3)),
    "mirrored": lambda image: sent(ImageOps.mirror(image), "JPEG", quality=80),
}


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_is_found_among_others(how: str) -> None:
    images = [photograph(seed) for seed in range(8)]
    prints = [MAKE(sent(image), CRACKS) for image in images]
    prints.append(MAKE(COPIES[how](images[3]), CRACKS))
    (pair,) = find_copies(prints)
    assert (pair.first, pair.second) == (3, 8)
    assert COPY <= pair.score <= 1.001


def test_where_nothing_is_to_be_seen_nothing_is_alike() -> None:
    blank = MAKE(sent(Image.new("RGB", (200, 200), "grey")), CRACKS)
    assert likeness(blank, [blank, MAKE(sent(photograph(1)), CRACKS)]).tolist() == [0, 0]
