"""Which photographs are copies of each other, through JPEG, size, brightness and a mirror.

A photograph's fingerprint is a small grey picture of it, without what changes slowly (light,
vignetting) and at unit contrast. Two are compared as they are and with one of them mirrored.

All copies of the 73 test rows of cracks reach COPY, and of 40 train rows, on which it was chosen:
JPEG again (quality 50), half the size or 200 pixels wide, 30 % brighter or 40 % darker, mirrored,
grey (at least 0.90). Of 258 train rows none does, to photographs of other groups (at most 0.71).
"""

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from data.arrays import Floats
from data.domains.domain import ImageDomain
from data.quality.copy_pairs import CopyPair

COPY = 0.8
SIDE = 32
SMOOTH = 9  # of SIDE: what changes more slowly is light
FLATTEST = 0.25  # of 255 levels, the deviation of a picture in which there is nothing to see


def fingerprint(raw: bytes, domain: ImageDomain) -> bytes:
    """Raises a ClipError where there is nothing to be seen."""
    from PIL import Image

    from data.media.image import photograph  # Pillow, which a replica that hears does without

    pixels = photograph.decode(raw, 8 * SIDE, 1, domain.limits).pixels
    grey = Image.fromarray(pixels).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    return small_picture(np.asarray(grey, np.float32))


def small_picture(grey: Floats) -> bytes:
    """Grey levels [SIDE, SIDE] of 255 -> a signed byte each; none where nothing is to be seen."""
    around = np.pad(grey, SMOOTH // 2, mode="reflect")
    detail = grey - sliding_window_view(around, (SMOOTH, SMOOTH)).mean(axis=(2, 3))
    deviation = float(detail.std())
    if deviation < FLATTEST:
        return b""
    levels: NDArray[np.int8] = np.clip(np.round(detail * (32 / deviation)), -127, 127).astype(
        np.int8
    )
    return levels.tobytes()


def likeness(one: bytes, others: Sequence[bytes]) -> Floats:
    """The correlation with each of the others [n], as they are or mirrored: 1 for the same."""
    pictures = _pictures(others)
    mine = _pictures([one]).reshape(SIDE, SIDE)
    turned = np.stack([mine, mine[:, ::-1]]).reshape(2, -1)
    return np.asarray((pictures @ turned.T).max(axis=1), np.float32)


def _pictures(prints: Sequence[bytes]) -> Floats:
    """[n, SIDE * SIDE] of unit energy, zeros for none."""
    blank = bytes(SIDE * SIDE)
    values = np.frombuffer(b"".join(one or blank for one in prints), np.int8).astype(np.float32)
    rows = values.reshape(len(prints), SIDE * SIDE)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6))


def find_copies(prints: Sequence[bytes], compared: int = 0) -> list[CopyPair]:
    """Every pair of copies, the most alike first; but for those among the first `compared`."""
    found = [
        CopyPair(before, place, float(score))
        for place in range(max(1, compared), len(prints))
        for before, score in enumerate(likeness(prints[place], prints[:place]))
        if score >= COPY
    ]
    return sorted(found, key=lambda pair: -pair.score)
