"""Plain WAV -> blocks of samples, straight from memory: integers of 8 to 32 bits, and floats.

The most common clip by far, and eight times as fast as through a library. All of it is arithmetic
on an array, so it needs no process of its own, as whatever else is decoded does.
What a header says is believed as far as the bytes bear it out: recorders that lose power, and
programs that write into a pipe, leave sizes of 0 or of the largest number.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.arrays import Floats
from data.media.audio.waveform import Source
from data.media.sniff import Raw

FRAMES = 1 << 18  # of a block
MAX_CHUNKS = 100  # in front of the sound; a hostile file has millions of empty ones
ORDERS = {b"RIFF": "<", b"RF64": "<", b"BW64": "<", b"RIFX": ">", b"FORM": ">"}
KNOWN_CHUNKS = (b"fmt ", b"data", b"fact", b"LIST")
# Programs that do not know the size write one near the largest, signed or not.
UNKNOWN_SIZE = 0x7FFF_0000
IN_DS64 = 0xFFFF_FFFF

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
GUID = b"\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"  # behind the format's own tag
VALUES = {  # (format, bits) -> NumPy's type, and what makes full scale 1; 24 bits are widened to 32
    (PCM, 8): ("u1", 2.0**-7),
    (PCM, 16): ("i2", 2.0**-15),
    (PCM, 24): ("i4", 2.0**-31),
    (PCM, 32): ("i4", 2.0**-31),
    (FLOAT, 32): ("f4", 1.0),
    (FLOAT, 64): ("f8", 1.0),
}


@dataclass(frozen=True)
class Layout:
    rate_hz: int
    channels: int
    bits: int
    kind: str  # of NumPy, with its byte order
    scale: float

    @property
    def frame_bytes(self) -> int:
        return self.channels * self.bits // 8


def open_plain(raw: Raw) -> Source | None:
    """None for every file that is no WAV or needs a decoder."""
    order = ORDERS.get(bytes(raw[:4]))
    if order is None or raw[8:12] != b"WAVE":
        return None
    layout, large_size = None, 0
    for name, start, size in _chunks(raw, order):
        if name == b"fmt ":
            layout = _layout(bytes(raw[start : start + min(size, 40)]), order)
        elif name == b"ds64" and start + 16 <= len(raw):
            (large_size,) = struct.unpack_from("<Q", raw, start + 8)
        elif name == b"data":
            size = large_size if size == IN_DS64 else size
            return _source(raw, start, size, layout) if layout else None
    return None


def promised_share(raw: Raw) -> float:
    """How many times as many bytes of sound a WAV or AIFF promises as there are; else 1."""
    order = ORDERS.get(bytes(raw[:4]))
    for name, start, size in _chunks(raw, order) if order else ():
        present = len(raw) - start
        if name in (b"data", b"SSND") and present < size < UNKNOWN_SIZE:
            return size / max(1, present)
    return 1.0


def _chunks(raw: Raw, order: str) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and size of each; a chunk of odd size is padded, which some writers forget."""
    position = 12
    for _ in range(MAX_CHUNKS):
        if position + 8 > len(raw):
            break
        name, size = struct.unpack_from(f"{order}4sI", raw, position)
        position += 8
        yield name, position, size
        position += size
        if size % 2 and raw[position : position + 4] not in KNOWN_CHUNKS:
            position += 1


def _layout(chunk: bytes, order: str) -> Layout | None:
    """Of a `fmt ` chunk that describes plain samples."""
    if len(chunk) < 16:
        return None
    tag, channels, rate_hz, _, frame_bytes, bits = struct.unpack_from(f"{order}HHIIHH", chunk)
    if tag == EXTENSIBLE and chunk[26:40] == GUID:
        (tag,) = struct.unpack_from(f"{order}H", chunk, 24)
    found = VALUES.get((tag, bits))
    # More bytes than the samples need are 24 bits in four bytes, or the like.
    if found is None or not channels or frame_bytes > channels * bits // 8:
        return None
    kind, scale = found
    return Layout(rate_hz, channels, bits, order + kind, scale)


def _source(raw: Raw, start: int, size: int, layout: Layout) -> Source:
    present, frame_bytes = len(raw) - start, layout.frame_bytes
    unknown = size >= UNKNOWN_SIZE or (size == 0 and not _is_end(raw, start, layout.kind[0]))
    frames = (present if unknown else min(size, present)) // frame_bytes
    promised = 0.0 if unknown else size / frame_bytes
    blocks = _blocks(raw, start, frames, layout)
    return Source("WAV", layout.rate_hz, layout.channels, frames, blocks, promised)


def _is_end(raw: Raw, start: int, order: str) -> bool:
    """Whether what follows is nothing, or whole chunks up to the end: then there is no sound."""
    position = start
    for _ in range(MAX_CHUNKS):
        if position + 8 > len(raw):
            break
        name, size = struct.unpack_from(f"{order}4sI", raw, position)
        if not name.isascii() or not name.strip():
            return False
        position += 8 + size + size % 2
    return position in (len(raw), len(raw) + 1)


def _blocks(raw: Raw, start: int, frames: int, layout: Layout) -> Iterator[Floats]:
    for first in range(0, frames, FRAMES):
        count = min(FRAMES, frames - first) * layout.channels
        at = start + first * layout.frame_bytes
        yield _floats(raw, at, count, layout).reshape(-1, layout.channels)


def _floats(raw: Raw, at: int, count: int, layout: Layout) -> Floats:
    """[count], full scale is 1."""
    values: NDArray[Any]
    if layout.bits == 24:
        values = _widened(raw, at, count, layout.kind)
    else:
        values = np.frombuffer(raw, layout.kind, count, at)
    samples = _narrowed(values) if layout.bits == 64 else values.astype(np.float32)
    if layout.bits == 8:  # unsigned
        samples -= 128
    if layout.scale != 1:
        samples *= np.float32(layout.scale)
    return samples


def _narrowed(values: NDArray[Any]) -> Floats:
    with np.errstate(over="ignore"):  # what is infinite then is refused later
        return values.astype(np.float32)


def _widened(raw: Raw, at: int, count: int, kind: str) -> NDArray[np.integer]:
    """24 bits as the upper ones of 32."""
    wide = np.zeros((count, 4), np.uint8)
    upper = slice(1, 4) if kind[0] == "<" else slice(0, 3)
    wide[:, upper] = np.frombuffer(raw, np.uint8, 3 * count, at).reshape(-1, 3)
    return wide.view(kind)[:, 0]
