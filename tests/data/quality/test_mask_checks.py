"""mask_checks.py: a mask that is not its photograph's is told, and a right one is not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from data.datasets.dataset import LabelledClip, MaskFile, from_example, read_file
from data.datasets.sources import examples
from data.domains.domain import Domain, load_domains
from data.quality.checks import Finding, check
from data.quality.mask_checks import filled, mask_contrast, wrong_place

WRONG = {  # of the data set's 331 photographs, seen by eye
    "images/cfd_042.jpg": "its mask is that of images/cfd_065.jpg",
    "images/cfd_093.jpg": "its mask fills regions",
    "images/cfd_097.jpg": "its mask fills regions",
}
SOME = 6  # takes every sixth of the others


@pytest.fixture
def domain() -> Domain:
    return load_domains(names=("cracks",))["cracks"]


def wall(crack: float) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A grey wall [320, 320], with a line across it that is as much lighter, and where it is."""
    mask = np.zeros((320, 320), bool)
    mask[100:104] = True
    noise = np.random.default_rng(0).normal(150, 6, mask.shape)
    return (noise + crack * mask).astype(np.float32), mask


@pytest.mark.parametrize("crack", [-60, 60])
def test_what_is_darker_or_lighter_than_around_it_is_well_marked(crack: float) -> None:
    seen = mask_contrast(*wall(crack))
    assert wrong_place(seen) is None
    assert filled(seen) is None


def test_a_mask_beside_its_crack_follows_nothing() -> None:
    grey, mask = wall(-60)
    assert wrong_place(mask_contrast(grey, np.roll(mask, 60, axis=0))) is not None


def test_a_region_that_is_filled_is_told_and_a_wide_crack_is_not() -> None:
    grey, region = wall(0)
    region[60:180] = True
    assert filled(mask_contrast(grey, region)) is not None
    assert filled(mask_contrast(grey - 60 * region, region)) is None
    assert filled(mask_contrast(grey, np.ones_like(region))) is not None


def told(clips: list[LabelledClip], domain: Domain) -> list[Finding]:
    return check(clips, [], read_file, domain, lambda _: None)


def test_the_wrong_masks_of_the_data_set_are_found_and_no_others(
    domain: Domain, datasets: Path
) -> None:
    source = domain.source.model_copy(update={"left_out": ()})
    rows = examples(domain.model_copy(update={"source": source}), datasets)
    known = {*WRONG, "images/cfd_065.jpg"}
    clips = [from_example(row) for row in rows]
    asked = [clip for place, clip in enumerate(clips) if place % SOME == 0 or clip.name in known]
    found = [(one.clip.name, one.remark.reason) for one in told(asked, domain)]
    assert {name for name, _ in found} == WRONG.keys()
    for name, reason in WRONG.items():
        assert any(each == name and said.startswith(reason) for each, said in found)
    assert {row.path for row in domain.source.left_out} == WRONG.keys()


def test_a_mask_that_does_not_fit_is_one_remark_and_not_the_end(
    domain: Domain, tmp_path: Path
) -> None:
    sizes = {"a": (64, 48), "b": (64, 48), "wide": (96, 48)}
    for name, size in sizes.items():
        Image.new("L", size, 255).save(tmp_path / f"{name}.png")
    clip = LabelledClip("1" * 64, "crack", "1", "", tmp_path / "a.png")
    unfit = replace(clip, mask=MaskFile("2" * 64, tmp_path / "wide.png"))
    without = replace(clip, sha256="3" * 64, path=tmp_path / "b.png")
    found = {one.remark.kind: one.remark.reason for one in told([unfit, without], domain)}
    assert set(found) == {"unreadable"}
