"""mask_errors.py: masks that were made wrong by hand are the ones that are doubted."""

import numpy as np

from training.assess.label_errors import out_of_sample
from training.assess.mask_errors import doubtful_masks

PHOTOGRAPHS, PIXELS, CRACKED = 12, 80, 10


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
