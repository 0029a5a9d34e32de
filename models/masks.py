"""From pixels to what people ask of a crack: where it is, how much of it, how long, how wide.

A mask is bool [H, W]. Lengths are measured along the skeleton of the mask (Zhang & Suen 1984), on
the mask as the network sees it, and told in pixels of the photograph as it was sent.
"""

from dataclasses import dataclass

import numpy as np

from data.arrays import Bools, Floats, Integers, Mask

REMEMBERED = 12  # a grid of this many places each way stands for a photograph in a bundle
ROWS = {"classify": 1, "segment": REMEMBERED**2}  # of a clip, by its domain's task
SPECK = 0.001  # of the photograph; what is smaller than this is no crack


@dataclass(frozen=True)
class Measure:
    """Of the photograph in its own pixels; the width is area over length, 0 without a crack."""

    area_percent: float
    length_px: float
    mean_width_px: float


def places(height: int, width: int) -> Integers:
    """Where in a photograph, row by row, the pixels lie that are remembered of it: one at a
    chance place in each cell of a grid, the same in every photograph, so that copies are found."""
    rng = np.random.default_rng(0)
    corners = np.indices((REMEMBERED, REMEMBERED))
    down, along = (corners + rng.random(corners.shape)) / REMEMBERED
    rows, columns = (down * height).astype(np.int64), (along * width).astype(np.int64)
    return np.asarray((rows * width + columns).ravel())


def strongest(logits: Floats) -> Integers:
    """Of pixels with logits [T, 2], those that speak most for the second label; as many as the
    smallest crack has."""
    count = max(1, round(SPECK * len(logits)))
    return np.argpartition(logits[:, 0] - logits[:, 1], count - 1)[:count]


def outline(logits: Floats, height: int, width: int) -> Mask:
    """The pixels of a photograph, logits [H * W, 2], that are what its answer says it shows; none
    where the strongest of them are too few to be more than specks."""
    ground, sought = logits[strongest(logits)].mean(axis=0)
    return np.asarray((logits[:, 1] > logits[:, 0]) & (sought > ground)).reshape(height, width)


def measure(mask: Mask, width_px: int, height_px: int) -> Measure:
    height, width = mask.shape
    pixel_area = width_px * height_px / (width * height)
    area, length = float(mask.sum()), skeleton_length(skeleton(mask))
    return Measure(
        area_percent=100 * area / mask.size,
        length_px=length * pixel_area**0.5,
        mean_width_px=area / length * pixel_area**0.5 if length else 0.0,
    )


def skeleton(mask: Mask) -> Mask:
    """The middle line, one pixel wide. Only the edge is looked at, as it moves inwards."""
    padded = np.pad(mask, 1).astype(np.uint8)
    flat, width = padded.ravel(), padded.shape[1]
    around = np.array([-width, 1 - width, 1, 1 + width, width, width - 1, -1, -width - 1])
    inside = np.flatnonzero(flat)
    edge = inside[~flat[inside[:, np.newaxis] + around].all(axis=1)]

    def take_off(removable: Bools) -> bool:
        """Of the edge what may go; what was behind it is edge then."""
        nonlocal edge
        gone = removable[flat[edge[:, np.newaxis] + around] @ BITS]
        flat[edge[gone]] = 0
        behind = (edge[gone][:, np.newaxis] + around).ravel()
        edge = np.unique(np.concatenate([edge[~gone], behind[flat[behind] > 0]]))
        return bool(gone.any())

    odd, even = REMOVABLE
    while take_off(odd) | take_off(even):
        pass
    for corner in CORNERS:  # stairs, where a slope would be shorter
        take_off(corner)
    return padded[1:-1, 1:-1].astype(bool)


def skeleton_length(line: Mask) -> float:
    """Of a line drawn in pixels, right in the mean over its directions (Dorst & Smeulders 1987)."""
    ends = np.pad(line, 1)
    here, right, below = ends[:-1, :-1], ends[:-1, 1:], ends[1:, :-1]
    across = ends[1:, 1:]
    straight = (here & right).sum() + (here & below).sum()
    diagonal = (here & across & ~right & ~below).sum() + (right & below & ~here & ~across).sum()
    return max(float(0.948 * straight + 1.340 * diagonal), float(line.any()))


def run_lengths(mask: Mask) -> list[int]:
    """Pixels outside, inside, outside, ... column by column, as COCO counts them."""
    flat = np.concatenate([[False], mask.ravel(order="F")])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    edges = np.concatenate([[0], changes, [mask.size]])
    return [int(run) for run in np.diff(edges)]


def _corners() -> list[Bools]:
    """By the neighbours' bits: may a pixel go that only joins two which touch without it?"""
    bits = np.arange(256)[:, np.newaxis] >> np.arange(8) & 1
    turned = [np.roll(bits, -turn, axis=1) for turn in (0, 2, 4, 6)]
    # North and east are there; south, south-west and west are not.
    return [(t[:, [0, 2]] == 1).all(axis=1) & (t[:, 4:7] == 0).all(axis=1) for t in turned]


def _removable() -> tuple[Bools, Bools]:
    """By the neighbours' bits, clockwise from the north: may a pixel go, in odd and even rounds?"""
    bits = np.arange(256)[:, np.newaxis] >> np.arange(8) & 1
    count = bits.sum(axis=1)
    rises = ((bits == 0) & (np.roll(bits, -1, axis=1) == 1)).sum(axis=1)
    border = (count >= 2) & (count <= 6) & (rises == 1)
    north, east, south, west = bits[:, 0], bits[:, 2], bits[:, 4], bits[:, 6]
    odd = (north * east * south == 0) & (east * south * west == 0)
    even = (north * east * west == 0) & (north * south * west == 0)
    return border & odd, border & even


BITS = 1 << np.arange(8)
REMOVABLE, CORNERS = _removable(), _corners()
