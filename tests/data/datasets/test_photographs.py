"""photographs.py: photographs decoded once, and squares whose masks stay true."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from data.datasets.dataset import Kept, LabelledClip, MaskFile
from data.datasets.photographs import (
    PhotoBatches,
    Photographs,
    cut_square,
    decode_photographs,
    relight,
)
from data.domains.domain import ImageDomain, load_domains
from data.errors import InvalidParameter
from support.inputs.pictures import cracked, encoded, two_halves

SIDE = 64


@pytest.fixture
def domain() -> ImageDomain:
    domain = load_domains(names=("cracks",))["cracks"]
    assert isinstance(domain, ImageDomain)
    small = domain.input.model_copy(update={"window_px": SIDE})
    return domain.model_copy(update={"input": small})


class Album:
    """Photographs in memory, read by their digest."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def add(self, photograph: bytes, mask: bytes | None, label: str = "crack") -> LabelledClip:
        kept = MaskFile(self._keep(mask), None) if mask else None
        sha256 = self._keep(photograph)
        return LabelledClip(sha256, label, sha256, "", None, mask=kept)

    def _keep(self, raw: bytes) -> str:
        digest = hashlib.sha256(raw).hexdigest()
        self.files[digest] = raw
        return digest

    def read(self, kept: Kept) -> bytes:
        return self.files[kept.sha256]


def decoded(domain: ImageDomain, folder: Path, count: int = 4) -> Photographs:
    album = Album()
    clips = [album.add(*cracked(seed)) for seed in range(count)]
    clips.append(album.add(cracked(99, crack=False)[0], None, "no crack"))
    return decode_photographs(clips, album.read, domain, folder)


def test_a_photograph_comes_back_with_its_mask(domain: ImageDomain, tmp_path: Path) -> None:
    photographs = decoded(domain, tmp_path / "d")
    assert len(photographs) == 5
    assert photographs[0].shape == (96, 96, 4)
    dark = photographs[0][..., :3].mean(axis=2) < 90
    np.testing.assert_array_equal(dark, photographs[0][..., 3] == 255)
    assert photographs[4][..., 3].max() == 0


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (None, "label is 'crack', but no mask says where"),
        (cracked(1, side=48)[1], "another size"),
        (encoded(two_halves(96, 96), "PNG"), "greys or colours, but nothing light"),
        (b"no picture", "not a photograph"),
    ],
)
def test_a_photograph_without_a_mask_that_fits_is_named(
    domain: ImageDomain, tmp_path: Path, mask: bytes | None, words: str
) -> None:
    album = Album()
    clip = album.add(cracked(1)[0], mask)
    with pytest.raises(InvalidParameter, match=rf"^{clip.name}: .*{words}"):
        decode_photographs([clip], album.read, domain, tmp_path / "d")
    assert not (tmp_path / "d").exists()


def test_a_square_and_its_mask_are_turned_together(domain: ImageDomain, tmp_path: Path) -> None:
    photograph = decoded(domain, tmp_path / "d")[0]
    rng = np.random.default_rng(0)
    for _ in range(20):
        square = cut_square(photograph, SIDE, domain.training.augment, rng)
        assert square.shape == (SIDE, SIDE, 4)
        dark, mask = square[..., :3].mean(axis=2) < 95, square[..., 3] > 127
        assert (dark ^ mask).mean() < 0.05
        if mask.sum() > 50:
            assert (dark & mask).sum() / (dark | mask).sum() > 0.6


def test_a_photograph_smaller_than_a_square_is_gone_on_with_as_in_a_mirror(
    domain: ImageDomain,
) -> None:
    small = np.dstack([np.asarray(two_halves(40, 32)), np.full((32, 40), 255, np.uint8)])
    square = cut_square(small, SIDE, domain.training.augment, np.random.default_rng(0))
    assert square[..., 3].min() > 0


def test_another_light_stays_within_bounds(domain: ImageDomain) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    for _ in range(10):
        features = relight(pixels, domain.training.augment, rng)
        assert features.shape == (3, SIDE, SIDE)
        assert features.dtype == np.float32
        assert 0 <= features.min() <= features.max() <= 1


def test_an_epoch_can_be_repeated_exactly_and_workers_share_it(
    domain: ImageDomain, tmp_path: Path
) -> None:
    photographs = decoded(domain, tmp_path / "d")
    batches = PhotoBatches(domain, photographs, np.arange(5), 4)
    (first, masks), (again, _) = next(batches.epoch(1)), next(batches.epoch(1))
    assert np.array_equal(first, again)
    assert first.shape == (5, 3, SIDE, SIDE)
    assert masks.shape == (5, SIDE * SIDE)
    assert set(np.unique(masks)) <= {0.0, 1.0}
    shares = [next(batches.epoch(1, rank, 2))[0] for rank in range(2)]
    assert sorted(map(len, shares)) == [2, 3]
