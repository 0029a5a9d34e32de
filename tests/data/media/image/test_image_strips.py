"""image_strips.py: a large picture is shrunk a strip at a time, and leaves no memory behind."""

import io
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from data.media.image import image_strips
from data.media.image.mask_levels import levels_of
from data.media.image.photograph import decode_here
from support.inputs.pictures import encoded

MAX_PIXELS = 50_000_000
SIZE = (128, 96)

# Each a picture of 49 million pixels in a file of 0.2 MB, as the network sees it or as a mask.
LARGE = """
import io, resource, sys, threading
import numpy as np
from PIL import Image
from data.media.image import photograph

def resident_mb():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 1e6

small, out = Image.new("RGBA", (32, 32), (9, 9, 9, 9)), io.BytesIO()
photograph.decode_here((small.save(out, "PNG"), out.getvalue())[1], "PNG", 64, 8, 50_000_000)
raw = sys.stdin.buffer.read()
before = resident_mb()
read = {"photograph": lambda: photograph.decode_here(raw, "PNG", 512, 16, 50_000_000),
        "mask": lambda: photograph.decode_mask_here(raw, "PNG", 50_000_000)}[sys.argv[1]]
worker = threading.Thread(target=read)  # as in the batcher: not in the main thread's arena
worker.start(); worker.join()
(line,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
peak = int(line.split()[1]) * 1024 / 1e6  # of this program; ru_maxrss is that of its parent, too
print(peak - before, resident_mb() - before)
"""


def noise(channels: int) -> Image.Image:
    values = np.random.default_rng(5).integers(0, 256, (700, 900, channels), dtype=np.uint8)
    return Image.fromarray(values[..., 0] if channels == 1 else values)


WHOLE: dict[str, tuple[Callable[[], Image.Image], dict[str, object]]] = {
    "colours": (lambda: noise(3), {}),
    "grey": (lambda: noise(1), {}),
    "transparent": (lambda: noise(4), {}),
    "grey, transparent": (lambda: noise(4).convert("LA"), {}),
    "palette": (lambda: noise(3).quantize(64), {}),
    "palette, transparent": (lambda: noise(3).quantize(64), {"transparency": 5}),
    "black and white": (lambda: noise(1).convert("1"), {}),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_strips_give_the_very_picture_that_the_whole_gives(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_strips, "STRIP_PX", 20_000)
    make, options = WHOLE[kind]
    raw = encoded(make(), "PNG", **options)
    found = decode_here(raw, "PNG", 128, 32, MAX_PIXELS).pixels
    with Image.open(io.BytesIO(raw)) as image:
        clear = image.has_transparency_data
        whole = image.convert("RGBA" if clear else "RGB").resize(SIZE, Image.Resampling.LANCZOS)
        if clear:
            paper = Image.new("RGBA", SIZE, "white")
            whole = Image.alpha_composite(paper, whole).convert("RGB")
        grey = np.asarray(image.convert("L"))
        levels = levels_of(image)
    np.testing.assert_array_equal(found, np.asarray(whole))
    if not clear:
        np.testing.assert_array_equal(levels, grey)


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory by /proc")
@pytest.mark.parametrize("use", ["photograph", "mask"])
def test_a_small_file_of_a_large_picture_takes_its_pixels_once_and_gives_them_back(
    use: str,
) -> None:
    raw = encoded(Image.new("RGBA", (7000, 7000), (200, 10, 10, 90)), "PNG", compress_level=1)
    done = subprocess.run(
        [sys.executable, "-c", LARGE, use], input=raw, capture_output=True, check=True
    )
    peak_mb, stays_mb = map(float, done.stdout.split())
    assert peak_mb < 320  # 196 of the pixels, and as they are read
    assert stays_mb < 50
