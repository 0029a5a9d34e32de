"""label_errors.py: labels and masks that were made wrong by hand are the ones that are doubted."""

import numpy as np
import pytest
from numpy.typing import NDArray

from data.errors import InvalidParameter
from training.assess.label_errors import doubtful_masks, out_of_sample, suspects

CLASSES, EACH = 3, 60
PHOTOGRAPHS, PIXELS, CRACKED = 12, 80, 10


def embeddings(seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(CLASSES), EACH)
    return rng.normal(0, 1, (CLASSES, 8))[labels] * 3 + rng.normal(0, 1, (len(labels), 8)), labels


def test_wrong_labels_are_doubted_and_right_ones_suggested() -> None:
    values, right = embeddings()
    labels = right.copy()
    wrong = [3, 70, 150]
    labels[wrong] = (labels[wrong] + 1) % CLASSES
    groups = [f"g{place}" for place in range(len(labels))]
    found = suspects(out_of_sample(values, labels, groups, CLASSES, seed=1), labels)
    assert {one.place for one in found[: len(wrong)]} == set(wrong)
    for one in found[: len(wrong)]:
        assert one.label == right[one.place]
        assert one.suggested > 0.6 > one.given
    doubts = [one.given - one.suggested for one in found]
    assert doubts == sorted(doubts)


def test_another_take_of_the_group_does_not_give_the_answer_away() -> None:
    """Pairs of nearly the same recording, both called wrongly: by clip they would agree."""
    values, labels = embeddings()
    values, labels = np.repeat(values, 2, axis=0), np.repeat(labels, 2)
    labels[[10, 11]] = 2
    groups = [f"g{place // 2}" for place in range(len(labels))]
    found = suspects(out_of_sample(values, labels, groups, CLASSES, seed=1), labels)
    assert {one.place for one in found[:2]} == {10, 11}


def test_right_labels_of_sounds_apart_are_left_alone() -> None:
    values, labels = embeddings()
    groups = [f"g{place}" for place in range(len(labels))]
    assert len(suspects(out_of_sample(values, labels, groups, CLASSES, seed=1), labels)) <= 2


def test_a_label_of_one_group_cannot_be_checked() -> None:
    values, labels = embeddings()
    groups = ["only" if label == 2 else f"g{place}" for place, label in enumerate(labels)]
    with pytest.raises(InvalidParameter, match="clips of two groups"):
        out_of_sample(values, labels, groups, CLASSES, seed=1)


def test_moved_filled_and_empty_masks_are_doubted_and_the_others_are_not() -> None:
    rng = np.random.default_rng(0)
    right = np.zeros((PHOTOGRAPHS, PIXELS), np.int64)
    for photograph in right:
        photograph[rng.choice(PIXELS // 2, CRACKED, replace=False)] = 1
    values = 3 * right[..., np.newaxis] * np.ones(4) + rng.normal(0, 0.5, (*right.shape, 4))
    drawn = right.copy()
    drawn[2] = np.roll(right[2], PIXELS // 2)
    drawn[5] = 1
    drawn[9] = 0
    groups = [f"wall {place}" for place in range(PHOTOGRAPHS) for _ in range(PIXELS)]
    found = out_of_sample(values.reshape(-1, 4), drawn.ravel(), groups, 2, seed=1)
    doubts = {one.place: one for one in doubtful_masks(found.reshape(*drawn.shape, 2), drawn)}
    assert doubts.keys() == {2, 5, 9}
    assert (doubts[5].label, doubts[9].label) == (0, 1)
    assert all(one.suggested > 0.5 for one in doubts.values())
