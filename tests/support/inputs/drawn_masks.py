"""One mask as people's programs save it: what is kept as drawn, and what is refused in words."""

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from support.inputs.pictures import cracked, encoded

Drawn = NDArray[np.bool_]
Make = Callable[[Drawn], bytes]

WALL, MASK = cracked(1)
BLACK, WHITE, RED, GREEN, OCHRE = (0, 0, 0), (255,) * 3, (255, 0, 0), (0, 255, 0), (128, 128, 0)
CLEAR = (0, 0, 0, 0)


def drawn_mask() -> Drawn:
    with Image.open(io.BytesIO(MASK)) as image:
        return np.asarray(image) > 0


def png(pixels: NDArray[np.generic]) -> bytes:
    return encoded(Image.fromarray(pixels), "PNG")


def levels(mark: int, ground: int = 0, kind: type[np.unsignedinteger] = np.uint8) -> Make:
    return lambda drawn: png(np.where(drawn, mark, ground).astype(kind))


def banded(mark: int, band: int, rows: int = 4, kind: type[np.unsignedinteger] = np.uint8) -> Make:
    """Another level across the top, as of a class that is ignored."""

    def make(drawn: Drawn) -> bytes:
        pixels = np.where(drawn, mark, 0).astype(kind)
        pixels[:rows] = band
        return png(pixels)

    return make


def inks(mark: tuple[int, ...], ground: tuple[int, ...]) -> Make:
    return lambda drawn: png(np.where(drawn[..., np.newaxis], mark, ground).astype(np.uint8))


def opaque_by(opacity: int, colour: tuple[int, ...] = WHITE, clear: int = 0) -> Make:
    """One colour all over, and the drawing in what is opaque of it."""
    return inks((*colour, opacity), (*colour, clear))


def palette(*colours: tuple[int, ...], marks: tuple[int, int] = (1, 0), band: int = 0) -> Make:
    def make(drawn: Drawn) -> bytes:
        numbers = np.where(drawn, *marks).astype(np.uint8)
        if band:
            numbers[:4] = band
        image = Image.fromarray(numbers).convert("P")
        flat = [value for colour in colours for value in colour]
        image.putpalette(flat + [224] * (768 - len(flat)))
        return encoded(image, "PNG")

    return make


def lossy(container: str, **options: object) -> Make:
    return lambda drawn: encoded(Image.fromarray(drawn).convert("RGB"), container, **options)


def smoothed(drawn: Drawn) -> bytes:
    large = Image.fromarray(drawn).convert("L").resize((384, 384), Image.Resampling.BICUBIC)
    return encoded(large.resize((96, 96), Image.Resampling.BOX), "PNG")


def spalled(drawn: Drawn) -> bytes:
    """A crack that is wide: two thirds of the photograph, most of its edge left free."""
    around = np.zeros_like(drawn)
    around[8:88, 8:88] = True
    return png((around | drawn) * np.uint8(255))


def corners_clear(drawn: Drawn) -> bytes:
    """As a mask is that was turned by a few degrees."""
    pixels = np.zeros((*drawn.shape, 4), np.uint8)
    pixels[drawn, :3] = 255
    pixels[..., 3] = 255
    pixels[:6, :6, 3] = 0
    return png(pixels)


def the_photograph(**options: object) -> Make:
    def make(drawn: Drawn) -> bytes:
        with Image.open(io.BytesIO(WALL)) as image:
            return encoded(image, "JPEG", **options) if options else WALL

    return make


KEPT: dict[str, Make] = {
    "white on black": levels(255),
    "0 and 1": levels(1),
    "0 and 1 in 16 bits": levels(1, kind=np.uint16),
    "16 bits": levels(65_535, kind=np.uint16),
    "light on dark": levels(200, 40),
    "white on clear": opaque_by(255),
    "black on clear": opaque_by(255, BLACK),
    "red on clear": opaque_by(255, RED),
    "half opaque on clear": opaque_by(100, RED),
    "clear white in opaque black": inks((*WHITE, 255), (*BLACK, 255)),
    "all of it half opaque": inks((*WHITE, 100), (*BLACK, 100)),
    "colours of two classes": palette(BLACK, (128, 0, 0)),
    "two classes without colours": palette(BLACK, BLACK),
    "a palette from white to black": palette(WHITE, BLACK, marks=(0, 1)),
    "JPEG": lossy("JPEG", quality=60),
    "poor JPEG": lossy("JPEG", quality=15),
    "WebP": lossy("WEBP", quality=70),
    "smoothed": smoothed,
    "wide": spalled,
    "corners clear": corners_clear,
}

REFUSED: dict[str, tuple[Make, str]] = {
    "black on white": (levels(0, 255), r"9\d\.\d% of the photograph is marked, as by an inverted"),
    "1 and 0": (levels(0, 1), "inverted mask: it must be white where the label is true"),
    "white all over": (levels(255, 255), r"100\.0% of the photograph is marked"),
    "a palette on white": (palette(WHITE, BLACK), "inverted mask"),
    "red on white": (inks(RED, WHITE), "inverted mask"),
    "cut out of black": (opaque_by(0, BLACK, clear=255), "inverted mask"),
    "0, 1 and 255": (banded(1, 255), "the levels 0, 1, 255, as of several classes"),
    "0, 1 and 65535": (banded(1, 65_535, kind=np.uint16), "the levels 0, 1, 65535"),
    "0, 255 and grey": (banded(255, 128), "the levels 0, 128, 255"),
    "two classes and a rim": (palette(BLACK, (128, 0, 0), band=255), "of what is to be ignored"),
    "two colours": (palette(BLACK, RED, GREEN, band=2), "as of several classes"),
    "0 and 2": (levels(2), "nothing light"),
    "red on black": (inks(RED, BLACK), "nothing light"),
    "an ochre palette, 2": (palette(BLACK, RED, OCHRE, marks=(2, 0)), "nothing light"),
    "all of it clear": (inks((*WHITE, 0), CLEAR), "all of it is transparent, but there is a draw"),
    "the photograph": (the_photograph(), "of it are greys or colours, as of a photograph"),
    "the photograph as JPEG": (the_photograph(quality=50), "as of a photograph"),
}
