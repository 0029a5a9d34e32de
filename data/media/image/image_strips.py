"""Large pictures a strip at a time: no second copy of all their pixels, and none that stays.

Shrinking is two passes, along the rows and then along the columns, and the first needs no other
row. So a strip is converted and shrunk along its rows, and the picture that is left is a few
megabytes: every value is the one that shrinking it whole gives.
"""

from collections.abc import Callable, Iterator

from PIL import Image

from data.free_memory import give_back_memory

STRIP_PX = 1_000_000
LARGE_PX = 4_000_000
LANCZOS = Image.Resampling.LANCZOS

Convert = Callable[[Image.Image], Image.Image]


def strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """The row that a strip begins at, and the strip."""
    width, height = image.size
    rows = max(1, STRIP_PX // width)
    for top in range(0, height, rows):
        yield top, image.crop((0, top, width, min(height, top + rows)))


def shrunk(image: Image.Image, size: tuple[int, int], convert: Convert) -> Image.Image:
    """What `convert` makes of each pixel, in RGB or RGBA, and then made as large as `size`."""
    narrow = None
    for top, strip in strips(image):
        seen = convert(strip)
        mode = seen.mode
        seen = _weighed(seen).resize((size[0], seen.height), LANCZOS)
        narrow = narrow or Image.new(seen.mode, (size[0], image.height))
        narrow.paste(seen, (0, top))
    assert narrow is not None, image.size
    return narrow.resize(size, LANCZOS).convert(mode)


def _weighed(image: Image.Image) -> Image.Image:
    """Colours weigh as much as they are opaque, else what is transparent would show."""
    return image.convert("RGBa") if image.mode == "RGBA" else image


def give_back(pixels: int) -> None:
    """What decoding a large picture took."""
    if pixels > LARGE_PX:
        give_back_memory()
