"""masks.py: what a mask says of a crack, and what is remembered of a photograph."""

import time

import numpy as np
import pytest
from PIL import Image, ImageDraw

from data.arrays import Mask
from models.masks import REMEMBERED, measure, outline, places, run_lengths, skeleton, strongest

SIDES = (200, 300)


def line(angle_deg: float, length: float = 160, width: int = 7) -> Mask:
    picture = Image.new("L", SIDES[::-1])
    half = np.array([np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))]) * length / 2
    middle = np.array([150, 100])
    ImageDraw.Draw(picture).line([tuple(middle - half), tuple(middle + half)], 255, width)
    return np.asarray(picture) > 0


@pytest.mark.parametrize("angle_deg", range(0, 90, 15))
def test_a_line_has_its_length_and_width_at_any_angle(angle_deg: float) -> None:
    found = measure(line(angle_deg), 300, 200)
    assert found.length_px == pytest.approx(160, rel=0.1)
    assert found.mean_width_px == pytest.approx(7, rel=0.2)
    assert found.area_percent == pytest.approx(100 * 160 * 7 / 60_000, rel=0.1)


def test_lengths_are_those_of_the_photograph_as_it_was_sent() -> None:
    small, large = measure(line(30), 300, 200), measure(line(30), 1200, 800)
    assert large.length_px == pytest.approx(4 * small.length_px)
    assert large.mean_width_px == pytest.approx(4 * small.mean_width_px)
    assert large.area_percent == small.area_percent


def test_no_crack_has_no_length() -> None:
    assert measure(np.zeros(SIDES, bool), 300, 200) == type(measure(line(0), 1, 1))(0.0, 0.0, 0.0)


@pytest.mark.parametrize("mask", [np.ones((1, 1), bool), np.ones((40, 40), bool), line(45)])
def test_a_skeleton_is_thin_and_lies_within_the_mask(mask: Mask) -> None:
    thin = skeleton(mask)
    assert thin.any()
    assert not (thin & ~mask).any()
    squares = thin[:-1, :-1] & thin[1:, :-1] & thin[:-1, 1:] & thin[1:, 1:]
    assert not squares.any() or thin.sum() == 4  # two by two is as thin as it gets


@pytest.mark.perf
def test_a_photograph_that_is_marked_all_over_is_measured_in_a_moment() -> None:
    started = time.process_time()
    measure(np.ones((576, 768), bool), 768, 576)
    assert time.process_time() - started < 1.0


def test_run_lengths_tell_the_mask_column_by_column() -> None:
    mask = np.array([[0, 1, 1], [0, 0, 1]], bool)
    assert run_lengths(mask) == [2, 1, 1, 2]
    assert run_lengths(np.ones((2, 2), bool)) == [0, 4]
    assert run_lengths(np.zeros((2, 2), bool)) == [4]
    rng = np.random.default_rng(0)
    noise = rng.random((30, 50)) > 0.5
    runs = run_lengths(noise)
    again = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(30, 50, order="F")
    np.testing.assert_array_equal(again, noise)


@pytest.mark.parametrize("size", [(32, 32), (320, 480), (768, 40)])
def test_remembered_pixels_lie_all_over_a_photograph_and_always_in_the_same_parts(
    size: tuple[int, int],
) -> None:
    height, width = size
    rows, columns = np.divmod(places(*size), width)
    assert len(rows) == REMEMBERED**2
    cells = rows * REMEMBERED // height * REMEMBERED + columns * REMEMBERED // width
    assert len(set(cells.tolist())) > 0.8 * REMEMBERED**2
    first, again = places(320, 480), places(640, 960)
    assert np.abs(first // 480 / 320 - again // 960 / 640).max() < 0.01


def test_the_strongest_pixels_are_as_many_as_the_smallest_crack_has() -> None:
    logits = np.zeros((10_000, 2), np.float32)
    logits[500:600, 1] = np.arange(100)
    assert sorted(strongest(logits).tolist()) == list(range(590, 600))


def test_what_speaks_for_a_crack_is_outlined_unless_it_is_a_speck() -> None:
    logits = np.zeros((10_000, 2), np.float32)
    logits[:, 0] = 1
    logits[:40, 1] = 3
    assert outline(logits, 100, 100).sum() == 40
    logits[3:, 1] = 0
    assert outline(logits, 100, 100).sum() == 0
