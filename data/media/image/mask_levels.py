"""What the pixels of a mask say: a drawing in one ink on a ground, or a refusal in words.

A mask is white where the label is true and black elsewhere. Programs also save it as the numbers 0
and 1, as two colours of a palette, or as a layer of one ink on clear. Whatever else there is in a
picture, as further classes, regions to ignore or the shades of a photograph, is not guessed at.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from data.arrays import Integers, Mask
from data.errors import UndecodableClip
from data.media.image.image_strips import strips

Levels = NDArray[np.integer]  # 8 or 16 bits

# Neither nearly black nor nearly white (an eighth each) is at most 19 % of each of 331 masks, saved
# as JPEG, blurred or made smaller, and at least 40 % of each of their photographs.
MOST_SHADES = 0.25
FEW_LEVELS = 4  # so many are drawn; an edge that was smoothed has more
ONE_INK = 64  # its colours differ by less, of 255
NAMED = 6  # levels, in a message
# Of those 331 masks the fullest covers a third, and a seventh of its edge; inverted, two thirds.
MOST_DRAWN = 0.75
MOST_AROUND = 0.5  # of what covers the edge as well
RIGHT = "it must be white where the label is true, and black elsewhere"


def levels_of(image: Image.Image) -> Levels:
    """How light it is everywhere, [H, W] of 255 or 65,535; of a layer on clear, how much is drawn
    there. Raises UndecodableClip for a drawing that nobody sees."""
    if image.has_transparency_data:
        return _levels_of_layer(image)
    deep, numbered = image.mode.startswith("I"), _has_numbers(image)
    levels = np.empty((image.height, image.width), np.uint16 if deep else np.uint8)
    for top, strip in strips(image):
        grey = np.asarray(strip if deep or numbered else strip.convert("L"))
        levels[top : top + strip.height] = grey.clip(0, 65_535) if deep else grey
    return levels


def binarised(levels: Levels) -> Mask:
    """Where it is light: more than half of full, or anything at all where there are 0 and 1 alone.
    Raises UndecodableClip for what is no picture of two kinds."""
    counts = _histogram(levels)
    values = np.flatnonzero(counts)
    brightest = int(values[-1])
    if brightest <= 1:
        return np.asarray(levels > 0)
    middle = (65_535 if brightest > 255 else 255) // 2
    if 0 < brightest <= middle:  # as where classes are drawn in colours
        raise UndecodableClip(f"it has greys or colours, but nothing light: {RIGHT}")
    if len(values) > 2:
        _must_have_two_kinds(counts, values, middle)
    return np.asarray(levels > middle)


def must_leave_ground(mask: Mask) -> None:
    """Raises UndecodableClip for what covers nearly all, or most of it and most of the edge."""
    share = mask.mean()
    edge = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).mean()
    if share > MOST_DRAWN or min(share, edge) > MOST_AROUND:
        raise UndecodableClip(
            f"{share:.1%} of the photograph is marked, as by an inverted mask: {RIGHT}"
        )


def _must_have_two_kinds(counts: Integers, values: NDArray[np.intp], middle: int) -> None:
    between = values[(values > middle // 4) & (values < middle * 7 // 4)]
    share = counts[between].sum() / counts.sum()
    if share > MOST_SHADES:
        raise UndecodableClip(
            f"{share:.0%} of it are greys or colours, as of a photograph: {RIGHT}"
        )
    drawn = len(between) > 0 and len(values) <= FEW_LEVELS
    if drawn or (values > middle).sum() == 1:
        named = ", ".join(map(str, values[:NAMED])) + ", ..." * (len(values) > NAMED)
        raise UndecodableClip(
            f"it has the levels {named}, as of several classes or of what is to be ignored: {RIGHT}"
        )


def _histogram(levels: Levels) -> Integers:
    """By strips: counting makes eight bytes of each pixel."""
    counts = np.zeros(np.iinfo(levels.dtype).max + 1, np.int64)
    rows = max(1, 1_000_000 // levels.shape[1])
    for top in range(0, len(levels), rows):
        counts += np.bincount(levels[top : top + rows].ravel(), minlength=len(counts))
    return counts


def _has_numbers(image: Image.Image) -> bool:
    """Whether the colours of a palette are the classes 0 and 1. Where colour 0 is the lighter one,
    it was chosen for how it looks."""
    if image.mode != "P" or image.getextrema()[1] != 1:
        return False
    palette = image.getpalette() or []
    return sum(palette[:3]) <= sum(palette[3:6])


def _levels_of_layer(image: Image.Image) -> Levels:
    """Of one ink how opaque it is; of several how light they are, what is clear being dark."""
    least, most = _opacities(image)
    one_ink = least < most and _has_one_ink(image, most / 2)
    levels = np.empty((image.height, image.width), np.uint8)
    for top, strip in strips(image):
        seen = strip.convert("RGBA")
        opacity, grey = seen.getchannel("A"), seen.convert("L")
        if one_ink:
            grey = opacity.point([min(255, value * 255 // most) for value in range(256)])
        elif least < most:
            grey = ImageChops.multiply(grey, opacity)
        levels[top : top + strip.height] = np.asarray(grey)
    return levels if most else _nothing(levels)


def _nothing(hidden: Levels) -> Levels:
    if hidden.min() < hidden.max():
        raise UndecodableClip(f"all of it is transparent, but there is a drawing in it: {RIGHT}")
    return np.zeros_like(hidden)


def _opacities(image: Image.Image) -> tuple[int, int]:
    least, most = 255, 0
    for _, strip in strips(image):
        opacity = np.asarray(strip.convert("RGBA").getchannel("A"))
        least, most = min(least, int(opacity.min())), max(most, int(opacity.max()))
    return least, most


def _has_one_ink(image: Image.Image, clear: float) -> bool:
    """Of what is more opaque than `clear`."""
    low, high = np.full(3, 255), np.zeros(3, np.intp)
    for _, strip in strips(image):
        pixels = np.asarray(strip.convert("RGBA"))
        drawn = pixels[..., :3][pixels[..., 3] > clear]
        low = np.minimum(low, drawn.min(0, initial=255))
        high = np.maximum(high, drawn.max(0, initial=0))
    return bool((high - low).max() < ONE_INK)
