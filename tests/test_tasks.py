from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from data.domain import Domain
from models.tasks import TASKS, calibration_error, classification, confusion, macro_f1


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
