"""Which masks are likely wrong, by the pixels that are remembered of their photographs.

As with labels (`label_errors.py`), a classifier of the embeddings that has not seen a photograph's
group says which of its pixels are likelier something else than they are drawn as. A mask is in
doubt where that is so of most of what is drawn, or should be. Some always is: the edge of a mask
is off by a pixel or two.

Of the 331 masks of cracks 14 are, the wrong one of the exam second among them; two that are filled
are not, which the network itself was fitted to. `data/quality/mask_checks.py` finds those.
"""

import numpy as np

from data.arrays import Doubles, Integers
from training.assess.label_errors import Suspect, suspects

DOUBTED = 0.5  # of the pixels that are drawn, or should be
FEWEST = 5  # such pixels: of fewer nothing can be said


def doubtful_masks(probabilities: Doubles, drawn: Integers) -> list[Suspect]:
    """Of photographs' remembered pixels [n, rows, 2], out of sample, and what they are drawn as
    [n, rows]; the most doubtful first. The label is what most of the doubted pixels may rather be;
    `suggested` is their share, and `given` that of the others."""
    rows = drawn.shape[1]
    better = drawn.copy()
    for one in suspects(probabilities.reshape(-1, 2), drawn.ravel()):
        better[one.place // rows, one.place % rows] = one.label
    doubted, concerned = better != drawn, (better + drawn) > 0
    shares = doubted.sum(axis=1) / np.maximum(1, concerned.sum(axis=1))
    worth = np.flatnonzero((shares > DOUBTED) & (doubted.sum(axis=1) >= FEWEST))
    found = [
        Suspect(
            int(place),
            int(better[place][doubted[place]].mean() >= 0.5),
            float(1 - shares[place]),
            float(shares[place]),
        )
        for place in worth
    ]
    return sorted(found, key=lambda one: one.given - one.suggested)
