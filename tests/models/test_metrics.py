from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from data.domains.domain import Domain
from models.metrics import (
    TASKS,
    calibration_error,
    classification,
    confusion,
    macro_f1,
    segmentation,
)


def answers(*rows: tuple[str, str]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Probabilities and label ids for pairs of (right, answered) out of "abc"."""
    right = np.array(["abc".index(pair[0]) for pair in rows])
    given = np.array(["abc".index(pair[1]) for pair in rows])
    return np.eye(3)[given] * 0.7 + 0.1, right


def test_every_task_a_domain_may_have_can_be_measured() -> None:
    assert set(TASKS) == set(get_args(Domain.model_fields["task"].annotation))


def test_figures_of_a_class_follow_from_its_confusions() -> None:
    metrics = classification(
        *answers(("a", "a"), ("a", "a"), ("a", "b"), ("b", "b"), ("c", "a")), "abc"
    )
    a = metrics.per_class["a"]
    assert [a.precision, a.recall, a.f1] == pytest.approx([2 / 3] * 3)
    assert a.support == 3
    assert metrics.per_class["b"].f1 == pytest.approx(2 / 3)
    assert metrics.per_class["c"].f1 == 0
    assert metrics.accuracy == pytest.approx(3 / 5)
    assert metrics.macro_f1 == pytest.approx(4 / 9)
    assert metrics.confusion == ((2, 1, 0), (0, 1, 0), (1, 0, 0))


def test_a_class_that_neither_occurs_nor_is_answered_does_not_count() -> None:
    metrics = classification(*answers(("a", "a"), ("b", "b")), "abc")
    assert metrics.macro_f1 == 1
    assert metrics.per_class["c"].support == 0


def test_a_class_answered_but_never_right_counts_as_zero() -> None:
    assert macro_f1(confusion(np.array([0, 1]), np.array([0, 2]), 3)) == pytest.approx(1 / 3)


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    sure = np.tile([0.8, 0.2], (10, 1))
    eight_of_ten = np.array([0] * 8 + [1] * 2)
    assert calibration_error(sure, eight_of_ten) == pytest.approx(0, abs=1e-9)
    assert calibration_error(sure, np.zeros(10, np.int64)) == pytest.approx(0.2)


def test_full_confidence_falls_into_the_last_bin() -> None:
    assert calibration_error(np.eye(2), np.array([0, 1])) == 0


def test_dice_and_iou_are_those_of_all_pixels_together() -> None:
    overlaps = np.array([[30, 50, 40], [10, 10, 30]])  # in both, in the answer, in the right one
    found = segmentation(overlaps, ["a", "b"], 1.0)
    assert found.dice.value == pytest.approx(2 * 40 / (60 + 70))
    assert found.iou.value == pytest.approx(40 / (60 + 70 - 40))
    assert found.dice.low < found.dice.value < found.dice.high


def test_an_interval_is_wider_where_photographs_are_crops_of_few() -> None:
    rng = np.random.default_rng(0)
    per_group = rng.integers(10, 90, 20).repeat(5)
    overlaps = np.stack([per_group, np.full(100, 100), np.full(100, 100)], axis=1)
    apart = segmentation(overlaps, [str(n) for n in range(100)], 1.0).dice
    together = segmentation(overlaps, [str(n // 5) for n in range(100)], 1.0).dice
    assert together.value == apart.value
    assert together.high - together.low > 1.5 * (apart.high - apart.low)


def test_masks_without_a_pixel_agree() -> None:
    assert segmentation(np.zeros((3, 3), np.int64), ["a", "b", "c"], 1.0).dice.value == 1
