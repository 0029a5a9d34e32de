"""Which labels are likely wrong, by confident learning (Northcutt, Jiang & Chuang 2021).

A simple classifier of the embeddings says what it thinks of clips that it was not fitted to: folds
are by group, so that another take of the same recording does not give the answer away. A clip is
suspect if, among the labels that it has at least as much probability for as the clips of that
label have themselves, the most probable one is another than it was given.

With one label in twenty made wrong by hand, on embeddings of a network that had seen the right
ones, it finds 57 % of them in faults and 85 % in keywords, and 75 and 99 % of what it names is
wrong. Of labels that the network itself was fitted to it will find fewer.

A mask is in doubt where most of what is drawn, or should be, is likelier something else by the
pixels that are remembered of its photograph. Some always is: the edge of a mask is off by a pixel
or two. Of the 331 masks of cracks 14 are in doubt, the wrong one of the exam second among them; two
that are filled are not, which the network itself was fitted to. `data/quality/mask_checks.py` finds
those.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.arrays import Doubles, Integers
from data.errors import InvalidParameter

FOLDS = 5
STRENGTH = 0.01  # sklearn's C, on standardised embeddings
DOUBTED = 0.5  # of a mask's pixels that are drawn, or should be
FEWEST = 5  # such pixels: of fewer nothing can be said


@dataclass(frozen=True)
class Suspect:
    """A clip by its place, the label it may rather have, and the probability of both."""

    place: int
    label: int
    given: float
    suggested: float


def suspects(probabilities: Doubles, labels: Integers) -> list[Suspect]:
    """probabilities [n, C], out of sample; those with the least belief in their label first."""
    classes = probabilities.shape[1]
    usual = np.array(
        [probabilities[labels == c, c].mean() if (labels == c).any() else 2 for c in range(classes)]
    )
    confident = np.where(probabilities >= usual, probabilities, -1.0)
    best = confident.argmax(axis=1)
    rows = np.arange(len(labels))
    doubted = np.flatnonzero((confident[rows, best] > 0) & (best != labels))
    found = [
        Suspect(
            int(place),
            int(best[place]),
            float(probabilities[place, labels[place]]),
            float(probabilities[place, best[place]]),
        )
        for place in doubted
    ]
    return sorted(found, key=lambda one: one.given - one.suggested)


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


def out_of_sample(
    values: NDArray[np.floating], labels: Integers, groups: list[str], classes: int, seed: int
) -> Doubles:
    """Embeddings [n, D] -> probabilities [n, C], each from a classifier that has not seen the
    clip's group; raises InvalidParameter where a label has too few groups."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    folds = min(FOLDS, _fewest_groups(labels, groups))
    if folds < 2:
        raise InvalidParameter(
            "labels cannot be checked: each label needs clips of two groups (recordings, "
            "speakers) or more"
        )
    splits = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    found = np.zeros((len(labels), classes))
    for ours, theirs in splits.split(values, labels, groups):
        model = make_pipeline(
            StandardScaler(),
            LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=1000),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of not having quite converged
            model.fit(values[ours], labels[ours])
        found[np.ix_(theirs, model.classes_)] = model.predict_proba(values[theirs])
    return found


def _fewest_groups(labels: Integers, groups: list[str]) -> int:
    names = np.array(groups)
    return min(len(set(names[labels == label])) for label in np.unique(labels))
