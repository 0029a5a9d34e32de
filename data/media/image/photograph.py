"""Bytes -> RGB array: decodes a photograph of any common format, within limits.

Whatever the bytes are, the outcome is a `Photograph` or a `ClipError` that says what is wrong.
A file says how many pixels it has before any of them is decoded: a small file cannot become a
big picture. JPEG is decoded at a fraction of its size where that is enough. What may be crafted is
decoded in a process of its own (`decode_process.py`), by the functions that end in `_here`.
"""

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, UnidentifiedImageError

from data.arrays import Bytes, Floats, Mask
from data.errors import ClipError, ClipTooLarge, UndecodableClip
from data.media.decode_pool import ask
from data.media.image.image_strips import give_back, shrunk
from data.media.image.mask_levels import binarised, levels_of
from data.media.sniff import PNG, sniff_image

if TYPE_CHECKING:
    from data.domains.sections import PhotoLimitSpec


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
PIXEL_BYTES = 16  # while they are decoded; the most, of WebP, was 15
# What Pillow needs of a PNG beside its critical chunks: transparency, orientation (also as
# ImageMagick writes it) and whether it is animated. Others only get in the way of decoding: it
# refuses large texts and colour profiles, and damage in them.
PNG_CHUNKS = (b"tRNS", b"eXIf", b"acTL", b"fcTL", b"fdAT")
PNG_TEXT = b"Raw profile type"
ANIMATED = ("PNG", "WEBP")  # more than one frame of a JPEG or HEIC is a preview or a depth map


@dataclass(frozen=True)
class Photograph:
    """`pixels` uint8 [H, W, 3], upright and not larger than was asked for; width and height as
    they were sent, upright too."""

    pixels: Bytes
    width_px: int
    height_px: int
    container: str


def decode(raw: bytes, max_side_px: int, multiple_px: int, limits: "PhotoLimitSpec") -> Photograph:
    """Made smaller until its longer side is at most `max_side_px`, never larger; its sides are
    rounded to whole `multiple_px`. Raises ClipTooLarge, UnsupportedClip or UndecodableClip."""
    container = _checked(raw, limits)
    facts, pixels = ask(
        "photograph",
        raw,
        memory_bytes=PIXEL_BYTES * limits.max_pixels,
        container=container,
        max_side_px=max_side_px,
        multiple_px=multiple_px,
        max_pixels=limits.max_pixels,
    )
    return Photograph(pixels, facts["width_px"], facts["height_px"], container)


def decode_here(
    raw: bytes, container: str, max_side_px: int, multiple_px: int, max_pixels: int
) -> Photograph:
    with _opened(raw, container, max_pixels) as image:
        _must_stand_still(image, container)
        width, height = image.size
        size = fitted(width, height, max_side_px, multiple_px)
        turn = image.getexif().get(ORIENTATION)
        image.draft(None, size)  # JPEG is decoded no larger than it has to be for this
        pixels = _rgb(image, size)
        if turn in SIDEWAYS:
            width, height = height, width
        return Photograph(np.asarray(_upright(pixels, turn)), width, height, container)


def features(pixels: Bytes) -> Floats:
    """uint8 [H, W, 3] -> what the network sees: float32 [3, H, W] from 0 to 1."""
    return np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32) / np.float32(255)


def decode_mask(raw: bytes, limits: "PhotoLimitSpec") -> Mask:
    """Where something is drawn in a picture of the photograph's size, upright: bool [H, W]. Raises
    UndecodableClip where that would be a guess: see `mask_levels.py`."""
    container = _checked(raw, limits)
    pixels = limits.max_pixels
    memory_bytes = PIXEL_BYTES * pixels
    return ask("mask", raw, memory_bytes=memory_bytes, container=container, max_pixels=pixels)[1]


def decode_mask_here(raw: bytes, container: str, max_pixels: int) -> Mask:
    with _opened(raw, container, max_pixels) as image:
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


def _checked(raw: bytes, limits: "PhotoLimitSpec") -> str:
    """The container of what is not too large to be looked at."""
    if len(raw) > limits.max_bytes:
        raise ClipTooLarge(
            f"the photograph has {len(raw):,} bytes; at most {limits.max_bytes:,} are accepted"
        )
    return sniff_image(raw)


@contextmanager
def _opened(raw: bytes, container: str, max_pixels: int) -> Iterator[Image.Image]:
    """The file with its header read and found within limits; no pixel is decoded yet."""
    with _decoder_errors(container, max_pixels):
        if container == "HEIF":
            _learn_heif()
        with Image.open(io.BytesIO(_mended(raw, container)), formats=(container,)) as image:
            _check_size(image.width, image.height, max_pixels)
            try:
                yield image
            finally:
                image.close()
                give_back(image.width * image.height)  # of a JPEG, as large as it was decoded


def _mended(raw: bytes, container: str) -> bytes:
    """Without what Pillow stumbles over and viewers pass over."""
    if container == "JPEG":  # bytes around its first marker
        start = raw.index(b"\xff\xd8")
        return b"\xff\xd8" + raw[raw.index(b"\xff", start + 2) :]
    return _without_extras(raw) if container == "PNG" else raw


def _without_extras(raw: bytes) -> bytes:
    """A PNG without the chunks that do not change its pixels."""
    kept, position = [PNG], len(PNG)
    while position + 8 <= len(raw):
        size, name = struct.unpack_from(">I4s", raw, position)
        end = position + 12 + size
        critical = not name[0] & 0x20
        text = raw[position + 8 : position + 8 + len(PNG_TEXT)]
        if critical or name in PNG_CHUNKS or text == PNG_TEXT:
            kept.append(raw[position:end])
        position = end
    return b"".join(kept)


@contextmanager
def _decoder_errors(container: str, max_pixels: int) -> Iterator[None]:
    """Damaged files make the decoders raise nearly anything; it all means the same."""
    try:
        yield
    except ClipError:
        raise
    except Image.DecompressionBombError as error:
        raise ClipTooLarge(_too_many(max_pixels, "far more")) from error
    except Exception as error:
        # Pillow names the object in memory that it could not identify.
        unidentified = isinstance(error, UnidentifiedImageError)
        words = "its header cannot be read" if unidentified else error
        if isinstance(error, MemoryError):
            words = "far too much memory for its size"
        raise UndecodableClip(
            f"this {container} file is damaged or cut off; the decoder says: {words}"
        ) from error


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise ClipTooLarge(_too_many(max_pixels, f"{width:,} x {height:,}"))
    if min(width, height) < MIN_SIDE_PX:
        raise UndecodableClip(
            f"the photograph has {width} x {height} pixels; at least {MIN_SIDE_PX} each way are "
            "needed to see anything"
        )


def _too_many(max_pixels: int, seen: str) -> str:
    return f"the photograph has {seen} pixels; at most {max_pixels:,} in all are accepted"


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
