"""Photographs and their masks as training sees them: decoded once, dealt out as changed squares.

Seeded changes that leave a mask true: a square from anywhere in the photograph, turned to any
angle, mirrored, nearer or further, and then its light, its colours and its noise.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data.arrays import Bytes, Floats, Integers, Mask
from data.datasets.dataset import LabelledClip, Reader, batches_of, deal, naming, write_once
from data.domains.domain import ImageDomain
from data.domains.sections import ImageAugmentSpec
from data.errors import UndecodableClip
from data.media.image import photograph


@dataclass(frozen=True)
class Photographs:
    """Decoded photographs end to end in one memory-mapped file: uint8 [H, W, 4], of which the
    first three are colours and the last is 255 where the mask is."""

    values: Bytes
    ends: Integers
    sizes: Integers  # [photographs, 2], height and width

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> Bytes:
        start = int(self.ends[index - 1]) if index else 0
        return self.values[start : int(self.ends[index])].reshape(*self.sizes[index], 4)


def decode_photographs(
    clips: Sequence[LabelledClip], read: Reader, domain: ImageDomain, folder: Path
) -> Photographs:
    """Decodes into `folder`, or finds it done already: a resumed run does not decode again."""

    def decoded() -> dict[str, NDArray[np.generic]]:
        parts = [_decoded(clip, read, domain) for clip in clips]
        return {
            "values": np.concatenate([part.ravel() for part in parts]),
            "ends": np.cumsum([part.size for part in parts]),
            "sizes": np.array([part.shape[:2] for part in parts]),
        }

    write_once(folder, decoded)
    return open_photographs(folder)


def open_photographs(folder: Path) -> Photographs:
    values = np.load(folder / "values.npy", mmap_mode="r")
    return Photographs(values, np.load(folder / "ends.npy"), np.load(folder / "sizes.npy"))


def read_mask(clip: LabelledClip, read: Reader, domain: ImageDomain) -> Mask | None:
    """As the network sees the photograph; None where it shows nothing of what is sought."""
    if clip.mask is None:
        if domain.label_index(clip.label):
            raise UndecodableClip(f"its label is {clip.label!r}, but no mask says where that is")
        return None
    mask = photograph.decode_mask(read(clip.mask), domain.limits)
    return photograph.shrink_mask(mask, domain.input.max_side_px, domain.network.stride_px)


def _decoded(clip: LabelledClip, read: Reader, domain: ImageDomain) -> Bytes:
    with naming(clip):
        pixels = photograph.decode(
            read(clip), domain.input.max_side_px, domain.network.stride_px, domain.limits
        ).pixels
        mask = read_mask(clip, read, domain)
        if mask is None:
            mask = np.zeros(pixels.shape[:2], bool)
        if mask.shape != pixels.shape[:2]:
            raise UndecodableClip("its mask is of another size than the photograph")
    return np.dstack([pixels, mask.astype(np.uint8) * 255])


@dataclass(frozen=True)
class PhotoBatches:
    """Changed squares of one epoch; each of `world` workers gets its share of every batch."""

    domain: ImageDomain
    photographs: Photographs
    members: Integers
    batch_size: int

    def __len__(self) -> int:
        return batches_of(self.members, self.batch_size)

    def epoch(self, number: int, rank: int = 0, world: int = 1) -> Iterator[tuple[Floats, Floats]]:
        """features [n, 3, S, S] and masks [n, S * S] of 0 and 1, the same for the same number."""
        spec, side = self.domain.training, self.domain.input.window_px
        for batch, rng in deal(self.members, len(self), (spec.seed, number), rank, world):
            squares = [cut_square(self.photographs[i], side, spec.augment, rng) for i in batch]
            features = [relight(square[..., :3], spec.augment, rng) for square in squares]
            masks = [square[..., 3].ravel() > 127 for square in squares]
            yield np.stack(features), np.stack(masks).astype(np.float32)


def cut_square(
    photograph: Bytes, side: int, spec: ImageAugmentSpec, rng: np.random.Generator
) -> Bytes:
    """uint8 [H, W, 4] -> [side, side, 4], turned, mirrored and scaled; beyond its edges a
    photograph goes on as in a mirror."""
    height, width = photograph.shape[:2]
    around = np.pad(photograph, ((side, side), (side, side), (0, 0)), "reflect")
    # Half of the squares stand straight: turning them softens the thinnest cracks.
    quarters = float(rng.integers(4)) if rng.random() < 0.5 else float(rng.uniform(0, 4))
    scale = float(np.exp(rng.uniform(-1, 1) * np.log1p(spec.scale)))
    cosine, sine = (f(quarters * np.pi / 2) / scale for f in (np.cos, np.sin))
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    turn = np.array([[cosine * mirror, -sine], [sine * mirror, cosine]])
    middle = [_middle(length, side, rng) for length in (width, height)]
    corner = np.array(middle) + side - turn @ np.full(2, (side - 1) / 2)
    affine = (*turn[0], corner[0], *turn[1], corner[1])
    # Four bands without a meaning: Pillow would let alpha shine through the colours.
    bands = Image.frombytes("CMYK", around.shape[1::-1], around.tobytes())
    square = bands.transform(
        (side, side), Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR
    )
    return np.asarray(square)


def _middle(length: int, side: int, rng: np.random.Generator) -> float:
    """Of the square, along one side of the photograph: inside it where there is room."""
    return float(rng.uniform(side / 2, length - side / 2)) if length > side else length / 2


def relight(pixels: Bytes, spec: ImageAugmentSpec, rng: np.random.Generator) -> Floats:
    """uint8 [H, W, 3] -> features [3, H, W] under another light, by another camera."""
    features = photograph.features(pixels)
    middle = features.mean(axis=(1, 2), keepdims=True)
    contrast = np.exp(rng.uniform(-spec.contrast, spec.contrast))
    features = (features - middle) * np.float32(contrast) + middle
    features += np.float32(rng.uniform(-spec.brightness, spec.brightness))
    features *= (1 + rng.uniform(-spec.colour, spec.colour, (3, 1, 1))).astype(np.float32)
    if rng.random() < 0.3:
        noise = rng.standard_normal(features.shape, np.float32)
        features += noise * np.float32(rng.uniform(0, spec.noise))
    return np.asarray(np.clip(features, 0, 1))
