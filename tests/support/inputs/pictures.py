"""Photographs made for tests, as files of every kind that a phone or a scanner may send."""

import base64
import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

ORIENTATION = 0x0112
# 64 x 48, red above blue, by libheif: nothing here can write one.
HEIC = base64.b64decode(
    b"AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAX1tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAA"
    b"AAAAAAAAAAAAACJpbG9jAAAAAERAAAEAAQAAAAABoQABAAAAAAAAACoAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAA"
    b"AAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA/WlwcnAAAADdaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34"
    b"+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq5Ka5"
    b"uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkAAAATY29scm5jbHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAA"
    b"AAAoY2xhcAAAAEAAAAABAAAAMAAAAAEAAAAAAAAAAv////AAAAACAAAAEHBpeGkAAAAAAwgICAAAABhpcG1hAAAA"
    b"AAAAAAEAAQWBAgMFhAAAADJtZGF0AAAAJigBr1j5Et3/r0/+A8hk6UvHMNT+2OLfUn1h62ppuoWqNyROu0pw"
)


def two_halves(width: int = 64, height: int = 48) -> Image.Image:
    """Red above blue: one sees which way up it is."""
    image = Image.new("RGB", (width, height), (40, 60, 200))
    image.paste((200, 60, 40), (0, 0, width, height // 2))
    return image


def cracked(seed: int, side: int = 96, crack: bool = True) -> tuple[bytes, bytes]:
    """A grey wall, with a dark line across it or without, and its mask; both PNG."""
    rng = np.random.default_rng(seed)
    wall = Image.fromarray(rng.normal(150, 6, (side, side, 3)).clip(0, 255).astype(np.uint8))
    mask = Image.new("L", (side, side))
    if crack:
        line = [(0, int(rng.integers(side))), (side, int(rng.integers(side)))]
        ImageDraw.Draw(wall).line(line, (40, 40, 40), 4)
        ImageDraw.Draw(mask).line(line, 255, 4)
    return encoded(wall, "PNG"), encoded(mask, "PNG")


def encoded(image: Image.Image, container: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, container, **options)
    return out.getvalue()


def turned(image: Image.Image, orientation: int) -> bytes:
    """A JPEG that asks its viewer to turn it."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return encoded(image, "JPEG", exif=exif, quality=95)


def sixteen_bits(image: Image.Image) -> Image.Image:
    grey: NDArray[np.uint16] = np.asarray(image.convert("L")).astype(np.uint16) * 257
    return Image.fromarray(grey)


KINDS: dict[str, tuple[str, Callable[[Image.Image], bytes]]] = {
    "JPEG": ("JPEG", lambda image: encoded(image, "JPEG", quality=95)),
    "JPEG, progressive": ("JPEG", lambda image: encoded(image, "JPEG", progressive=True)),
    "JPEG, grey": ("JPEG", lambda image: encoded(image.convert("L"), "JPEG")),
    "JPEG, CMYK": ("JPEG", lambda image: encoded(image.convert("CMYK"), "JPEG", quality=95)),
    "PNG": ("PNG", lambda image: encoded(image, "PNG")),
    "PNG, palette": ("PNG", lambda image: encoded(image.convert("P"), "PNG")),
    "PNG, transparent": ("PNG", lambda image: encoded(image.convert("RGBA"), "PNG")),
    "PNG, 16 bits": ("PNG", lambda image: encoded(sixteen_bits(image), "PNG")),
    "PNG, 1 bit": ("PNG", lambda image: encoded(image.convert("1"), "PNG")),
    "WebP": ("WEBP", lambda image: encoded(image, "WEBP", quality=95)),
    "WebP, lossless": ("WEBP", lambda image: encoded(image, "WEBP", lossless=True)),
    "BMP": ("BMP", lambda image: encoded(image, "BMP")),
    "HEIC": ("HEIF", lambda image: HEIC),
}
