"""Masks of hair lines agree where they lie a pixel or two apart."""

import numpy as np
import pytest

from training.assess.mask_agreement import agreement, pixel_counts


@pytest.mark.parametrize(("apart", "near"), [(0, 1.0), (2, 1.0), (3, 0.0)])
def test_a_line_two_pixels_beside_the_right_one_is_found(apart: int, near: float) -> None:
    right, answered = np.zeros((2, 20, 20), bool)
    right[5], answered[5 + apart] = True, True
    found = agreement("walls", pixel_counts(answered, right)[np.newaxis])
    assert found.near_f1 == pytest.approx(near, abs=1e-6)
    assert found.dice == (1.0 if apart == 0 else 0.0)


def test_nothing_answered_and_nothing_there_count_for_nothing() -> None:
    nothing, line = np.zeros((2, 20, 20), bool)
    line[5] = True
    counts = [pixel_counts(*pair) for pair in ((nothing, nothing), (line, line), (nothing, line))]
    found = agreement("walls", np.array(counts))
    assert found.photographs == 3
    assert found.dice == pytest.approx(2 / 3)
    assert found.near_f1 == pytest.approx(2 / 3)
