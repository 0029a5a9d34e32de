"""photograph.py: any photograph within limits, or an error that says what is wrong with it."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from data.domains.sections import PhotoLimitSpec
from data.errors import ClipTooLarge, UndecodableClip, UnsupportedClip
from data.media.image.photograph import (
    ORIENTATION,
    Photograph,
    decode,
    decode_mask,
    encode_mask,
    features,
    resize_mask,
    shrink_mask,
)
from support.inputs.pictures import KINDS, encoded, sixteen_bits, turned, two_halves

LIMITS = PhotoLimitSpec(max_bytes=2_000_000, max_pixels=4_000_000)


def opened(raw: bytes, max_side_px: int = 512) -> Photograph:
    return decode(raw, max_side_px, 8, LIMITS)


def is_red(pixel: np.ndarray) -> bool:
    return bool(pixel[0] > 150 and pixel[2] < 100)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_photograph_is_seen_in_its_colours_and_the_right_way_up(kind: str) -> None:
    container, make = KINDS[kind]
    photograph = opened(make(two_halves()))
    assert photograph.container == container
    assert photograph.pixels.shape == (48, 64, 3)
    assert photograph.pixels.dtype == np.uint8
    top, bottom = (half.mean(axis=(0, 1)) for half in np.split(photograph.pixels, 2))
    if "grey" in kind or "bit" in kind:
        assert top[0] == top[1] == top[2] != bottom[0]
    else:
        assert is_red(top)
        assert not is_red(bottom)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_camera_held_sideways_makes_no_difference(orientation: int) -> None:
    upright = two_halves()
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    held = upright.transpose(undo[orientation]) if orientation in undo else upright
    photograph = opened(turned(held, orientation))
    assert (photograph.width_px, photograph.height_px) == (64, 48)
    assert is_red(photograph.pixels[4, 60].astype(int))
    assert not is_red(photograph.pixels[44, 4].astype(int))


def with_chunk(png: bytes, name: bytes, body: bytes) -> bytes:
    crc = struct.pack(">I", zlib.crc32(name + body))
    return png[:33] + struct.pack(">I", len(body)) + name + body + crc + png[33:]


LARGE = zlib.compress(bytes(2_000_000))
PNG_FILE = encoded(two_halves(), "PNG")
JPEG_FILE = encoded(two_halves(), "JPEG", quality=95)


@pytest.mark.parametrize(
    ("odd", "plain"),
    [
        (with_chunk(PNG_FILE, b"zTXt", b"Comment\0\0" + LARGE), PNG_FILE),
        (with_chunk(PNG_FILE, b"iCCP", b"screen\0\0" + LARGE), PNG_FILE),
        (with_chunk(PNG_FILE, b"tEXt", b"a\0b").replace(b"a\0b", b"a\0c"), PNG_FILE),
        (JPEG_FILE[:2] + b"\0" + JPEG_FILE[2:], JPEG_FILE),
        (b"\r\n" + JPEG_FILE, JPEG_FILE),
        (JPEG_FILE + bytes(5000), JPEG_FILE),
    ],
    ids=["text", "profile", "wrong sum", "byte in JPEG", "line first", "bytes behind"],
)
def test_what_a_viewer_passes_over_makes_no_difference(odd: bytes, plain: bytes) -> None:
    np.testing.assert_array_equal(opened(odd).pixels, opened(plain).pixels)


def test_sixteen_bits_keep_their_brightness() -> None:
    grey = sixteen_bits(Image.new("L", (64, 64), 128))
    assert abs(int(opened(encoded(grey, "PNG")).pixels[0, 0, 0]) - 128) <= 1


def test_what_is_transparent_is_white() -> None:
    glass = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    assert opened(encoded(glass, "PNG")).pixels.min() == 255


@pytest.mark.parametrize("container", ["JPEG", "PNG"])
def test_a_large_photograph_is_made_smaller_and_tells_how_large_it_was(container: str) -> None:
    photograph = opened(encoded(two_halves(1600, 1200), container), max_side_px=256)
    assert photograph.pixels.shape == (192, 256, 3)
    assert (photograph.width_px, photograph.height_px) == (1600, 1200)


def test_sides_are_rounded_to_what_the_network_can_halve() -> None:
    assert opened(encoded(two_halves(100, 77), "PNG")).pixels.shape == (80, 96, 3)


def png_that_says(width: int, height: int) -> bytes:
    """A few bytes that promise a picture of any size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (png_that_says(3000, 2000), "3,000 x 2,000 pixels; at most 4,000,000"),
        (png_that_says(12_000, 9_000), "12,000 x 9,000 pixels; at most 4,000,000"),
        (png_that_says(60_000, 60_000), "far more pixels; at most 4,000,000"),
        (bytes(2_000_001), "2,000,001 bytes; at most 2,000,000"),
    ],
)
def test_a_bomb_is_refused_before_a_pixel_of_it_is_decoded(raw: bytes, words: str) -> None:
    with pytest.raises(ClipTooLarge, match=words):
        opened(raw)


def test_a_real_bomb_of_a_few_kilobytes_is_refused_too() -> None:
    raw = encoded(Image.new("1", (8000, 8000)), "PNG")
    assert len(raw) < 20_000
    with pytest.raises(ClipTooLarge, match="8,000 x 8,000"):
        opened(raw)


@pytest.mark.parametrize("kind", KINDS)
def test_a_photograph_that_is_cut_off_is_refused(kind: str) -> None:
    raw = KINDS[kind][1](two_halves())
    with pytest.raises(UndecodableClip, match="damaged or cut off"):
        opened(raw[: len(raw) // 2])


@pytest.mark.parametrize("container", ["PNG", "WEBP"])
def test_an_animation_is_refused(container: str) -> None:
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    raw = encoded(frames[0], container, save_all=True, append_images=frames[1:])
    with pytest.raises(UndecodableClip, match="animated .2 frames.*single photograph"):
        opened(raw)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"RIFF\x24\0\0\0WAVEfmt ", "a WAV recording, not a photograph; send JPEG, PNG, WebP"),
        (b"GIF89a" + bytes(20), "a GIF image"),
        (b"%PDF-1.7", "a PDF document"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "XML"),
    ],
)
def test_what_is_no_photograph_is_called_by_its_name(raw: bytes, words: str) -> None:
    with pytest.raises(UnsupportedClip, match=words):
        opened(raw)


@pytest.mark.parametrize("raw", [b"", encoded(two_halves(20, 20), "PNG")])
def test_nothing_and_next_to_nothing_are_refused(raw: bytes) -> None:
    with pytest.raises(UndecodableClip, match="0 bytes|at least 32"):
        opened(raw)


def test_damage_never_leads_to_anything_but_words() -> None:
    rng = np.random.default_rng(0)
    for _, make in KINDS.values():
        raw = bytearray(make(two_halves()))
        for place in rng.integers(12, len(raw), 30):
            raw[place] ^= int(rng.integers(1, 256))
            try:
                opened(bytes(raw))
            except (ClipTooLarge, UnsupportedClip, UndecodableClip):
                continue


@pytest.mark.parametrize("light", [1, 255])
def test_a_mask_may_be_drawn_with_ones_or_with_light(light: int) -> None:
    drawn = np.zeros((48, 64), np.uint8)
    drawn[10:20] = light
    mask = decode_mask(encoded(Image.fromarray(drawn), "PNG"), LIMITS)
    np.testing.assert_array_equal(mask, drawn > 0)


def strokes(
    mode: str, light: float | tuple[int, ...], ground: float | tuple[int, ...] = 0
) -> Image.Image:
    drawn = Image.new(mode, (64, 48), ground)
    drawn.paste(light, (0, 10, 64, 20))
    return drawn


@pytest.mark.parametrize(
    "drawn",
    [
        strokes("I;16", 65535),
        strokes("I;16", 255),
        strokes("RGBA", (255, 255, 255, 255), (0, 0, 0, 0)),
        strokes("RGBA", (255, 255, 255, 255), (255, 255, 255, 0)),
        strokes("1", 1),
    ],
)
def test_a_mask_means_the_same_in_whatever_way_it_was_saved(drawn: Image.Image) -> None:
    mask = decode_mask(encoded(drawn, "PNG"), LIMITS)
    assert mask[10:20].all()
    assert mask.sum() == 640


def test_a_mask_is_turned_as_its_photograph_is() -> None:
    upside_down = Image.Exif()
    upside_down[ORIENTATION] = 3
    out = io.BytesIO()
    strokes("L", 255).save(out, "PNG", exif=upside_down)
    mask = decode_mask(out.getvalue(), LIMITS)
    assert mask[28:38].all()
    assert mask.sum() == 640


def test_a_mask_comes_back_as_it_was_written() -> None:
    mask = np.random.default_rng(0).random((48, 70)) > 0.5
    np.testing.assert_array_equal(decode_mask(encode_mask(mask), LIMITS), mask)


def test_a_mask_is_made_smaller_like_its_photograph_and_large_again() -> None:
    mask = np.zeros((960, 1280), bool)
    mask[400:600] = True
    small = shrink_mask(mask, 64, 8)
    assert small.shape == (48, 64)
    assert small.mean() == pytest.approx(mask.mean(), abs=0.02)
    again = resize_mask(small, 1280, 960)
    assert (again & mask).sum() / (again | mask).sum() > 0.9


def test_the_network_sees_colours_first_and_from_nought_to_one() -> None:
    seen = features(np.asarray(Image.open(io.BytesIO(encoded(two_halves(), "PNG")))))
    assert seen.shape == (3, 48, 64)
    assert seen.dtype == np.float32
    assert (seen.min(), seen.max()) == (pytest.approx(40 / 255), pytest.approx(200 / 255))


def test_no_address_in_memory_reaches_whoever_sent_a_damaged_file() -> None:
    for _, make in KINDS.values():
        with pytest.raises(UndecodableClip) as refused:
            opened(make(two_halves())[:20])
        assert "0x" not in str(refused.value)
