"""Bytes -> RGB array: decodes a photograph of any common format, within limits.

Whatever the bytes are, the outcome is a `Photograph` or a `ClipError` that says what is wrong.
A file says how many pixels it has before any of them is decoded: a small file cannot become a
big picture. JPEG is decoded at a fraction of its size where that is enough.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from data.domains.sections import PhotoLimitSpec
from data.errors import ClipError, ClipTooLarge, UndecodableClip
from data.media.image_strips import give_back, shrunk
from data.media.mask_levels import Mask, binarised, levels_of
from data.media.sniff import sniff_image

Pixels = NDArray[np.uint8]

MIN_SIDE_PX = 32
ORIENTATION = 0x0112  # the EXIF tag
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = (5, 6, 7, 8)
ANIMATED = ("PNG", "WEBP")  # more than one frame of a JPEG or HEIC is a preview or a depth map


@dataclass(frozen=True)
class Photograph:
    """`pixels` uint8 [H, W, 3], upright and not larger than was asked for; width and height as
    they were sent, upright too."""

    pixels: Pixels
    width_px: int
    height_px: int
    container: str


def decode(raw: bytes, max_side_px: int, multiple_px: int, limits: PhotoLimitSpec) -> Photograph:
    """Made smaller until its longer side is at most `max_side_px`, never larger; its sides are
    rounded to whole `multiple_px`. Raises ClipTooLarge, UnsupportedClip or UndecodableClip."""
    with _opened(raw, limits) as (image, container):
        _must_stand_still(image, container)
        width, height = image.size
        size = fitted(width, height, max_side_px, multiple_px)
        turn = image.getexif().get(ORIENTATION)
        image.draft(None, size)  # JPEG is decoded no larger than it has to be for this
        pixels = _rgb(image, size)
        if turn in SIDEWAYS:
            width, height = height, width
        return Photograph(np.asarray(_upright(pixels, turn)), width, height, container)


def features(pixels: Pixels) -> NDArray[np.float32]:
    """uint8 [H, W, 3] -> what the network sees: float32 [3, H, W] from 0 to 1."""
    return np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32) / np.float32(255)


def decode_mask(raw: bytes, limits: PhotoLimitSpec) -> Mask:
    """Where something is drawn in a picture of the photograph's size, upright: bool [H, W]. Raises
    UndecodableClip where that would be a guess: see `mask_levels.py`."""
    with _opened(raw, limits) as (image, container):
        _must_stand_still(image, container)
        turn = image.getexif().get(ORIENTATION)
        levels = levels_of(image)
    mask = binarised(levels)
    return np.asarray(_upright(Image.fromarray(mask), turn)) if turn in TURNS else mask


def shrink_mask(mask: Mask, max_side_px: int, multiple_px: int) -> Mask:
    """As large as the network sees its photograph; a pixel counts where half of it does."""
    height, width = mask.shape
    return resize_mask(mask, *fitted(width, height, max_side_px, multiple_px))


def resize_mask(mask: Mask, width_px: int, height_px: int) -> Mask:
    if mask.shape == (height_px, width_px):
        return mask
    smaller = width_px * height_px < mask.size
    by = Image.Resampling.BOX if smaller else Image.Resampling.BILINEAR
    light = Image.fromarray(mask.astype(np.uint8) * 255)
    return np.asarray(light.resize((width_px, height_px), by)) > 127


def encode_mask(mask: Mask) -> bytes:
    """PNG with one bit a pixel, white where the mask is."""
    out = io.BytesIO()
    Image.fromarray(mask).save(out, "PNG")
    give_back(mask.size)
    return out.getvalue()


def _must_stand_still(image: Image.Image, container: str) -> None:
    frames = getattr(image, "n_frames", 1)
    if container in ANIMATED and frames > 1:
        raise UndecodableClip(
            f"this {container} file is animated ({frames} frames); send a single photograph"
        )


@contextmanager
def _opened(raw: bytes, limits: PhotoLimitSpec) -> Iterator[tuple[Image.Image, str]]:
    """The file with its header read and found within limits; no pixel is decoded yet."""
    if len(raw) > limits.max_bytes:
        raise ClipTooLarge(
            f"the photograph has {len(raw):,} bytes; at most {limits.max_bytes:,} are accepted"
        )
    container = sniff_image(raw)
    with _decoder_errors(container, limits):
        if container == "HEIF":
            _learn_heif()
        with Image.open(io.BytesIO(raw), formats=(container,)) as image:
            _check_size(image.width, image.height, limits)
            try:
                yield image, container
            finally:
                image.close()
                give_back(image.width * image.height)  # of a JPEG, as large as it was decoded


@contextmanager
def _decoder_errors(container: str, limits: PhotoLimitSpec) -> Iterator[None]:
    """Damaged files make the decoders raise nearly anything; it all means the same."""
    try:
        yield
    except ClipError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ClipTooLarge(_too_many(limits, "far more")) from error
    except Exception as error:
        # Pillow names the object in memory that it could not identify.
        unidentified = isinstance(error, UnidentifiedImageError)
        words = "its header cannot be read" if unidentified else error
        raise UndecodableClip(
            f"this {container} file is damaged or cut off; the decoder says: {words}"
        ) from error


def _check_size(width: int, height: int, limits: PhotoLimitSpec) -> None:
    if width * height > limits.max_pixels:
        raise ClipTooLarge(_too_many(limits, f"{width:,} x {height:,}"))
    if min(width, height) < MIN_SIDE_PX:
        raise UndecodableClip(
            f"the photograph has {width} x {height} pixels; at least {MIN_SIDE_PX} each way are "
            "needed to see anything"
        )


def _too_many(limits: PhotoLimitSpec, seen: str) -> str:
    return f"the photograph has {seen} pixels; at most {limits.max_pixels:,} in all are accepted"


def fitted(width: int, height: int, max_side_px: int, multiple_px: int) -> tuple[int, int]:
    """Width and height that the network sees of a photograph."""
    shrink = min(1.0, max_side_px / max(width, height))

    def side(length: int) -> int:
        return max(1, round(length * shrink / multiple_px)) * multiple_px

    return side(width), side(height)


def _rgb(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Transparent parts as if on white paper, 16 bits as 8, print colours as light."""
    found = _colours(image) if image.size == size else shrunk(image, size, _colours)
    if found.mode == "RGBA":
        found = Image.alpha_composite(Image.new("RGBA", size, "white"), found).convert("RGB")
    return found


def _colours(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image) // 256).clip(0, 255).astype(np.uint8))
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _upright(image: Image.Image, turn: int | None) -> Image.Image:
    return image.transpose(TURNS[turn]) if turn in TURNS else image


def _learn_heif() -> None:
    from pi_heif import register_heif_opener

    register_heif_opener()
