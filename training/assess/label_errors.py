"""Which labels are likely wrong, by confident learning (Northcutt, Jiang & Chuang 2021).

A simple classifier of the embeddings says what it thinks of clips that it was not fitted to: folds
are by group, so that another take of the same recording does not give the answer away. A clip is
suspect if, among the labels that it has at least as much probability for as the clips of that
label have themselves, the most probable one is another than it was given.

With one label in twenty made wrong by hand, on embeddings of a network that had seen the right
ones, it finds 57 % of them in faults and 85 % in keywords, and 75 and 99 % of what it names is
wrong. Of labels that the network itself was fitted to it will find fewer.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.arrays import Doubles, Integers
from data.errors import InvalidParameter

FOLDS = 5
STRENGTH = 0.01  # sklearn's C, on standardised embeddings


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
