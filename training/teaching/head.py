"""Teaching: a new head from remembered embeddings and people's corrections, in seconds.

The backbone stays as it is, so no training data is needed beyond what the bundle carries. The head
W is always fitted from the anchor, the head of the last full training, and never from one that was
taught, so that a hundred teaches cannot drift. It minimises, by L-BFGS,

      memory       sum_i w_i CE(anchor's own answer to i, W)   each label weighs the same
    + corrections  sum_j c_j CE(right label of j, W)           c_j: see `correction_weights`
    + prior        N * p * |W - W_anchor|^2 * mean_i |embedding i|^2

divided by N, the number of remembered clips; the last factor makes the prior mean the same for
embeddings of any length. Memory is asked to be answered as the anchor answers it (Li & Hoiem 2016,
learning without forgetting) and not by its labels: without corrections the anchor is then exactly
the best head. For that reason the temperature is kept: the scale of the logits has not changed.

p is teach.prior_strength times the one of PULLS with which heads that lacked a group of the
corrections answered that group best (leave-one-group-out); with one group it is prior_strength.
It is not loosened until every correction is answered right: what a head can only memorise waits
for a full training.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from threadpoolctl import threadpool_limits

from data.arrays import Bools, Doubles, Integers
from data.domains.sections import TeachSpec
from models.tensors import Head
from training.assess.examine import label_losses

PULLS = (3.0, 1.0, 0.3)  # times teach.prior_strength, the strongest first
PARTS = 5  # of the groups, each left out once
# Of all that is remembered: more lets people's mistakes in, and mends no more (experiments.md).
SHARE = 0.25
GROUP_CLIPS = 4.0  # of one group count in full; of n more of them as 2 sqrt(n)
MOST_OF_A_GROUP = 10.0  # clips that one counts for, as with 25 or more of them


@dataclass(frozen=True)
class LabelledEmbeddings:
    """Embeddings [n, D] and labels [n] of what is remembered or corrected. Of corrections also the
    groups [n], recordings that stand or fall together, those who sent them [n], and what each
    counts for [n], less than 1 where it has copies; without, each is its own. Of a photograph there
    are `rows`, one after the other."""

    values: NDArray[np.floating]
    labels: Integers
    groups: Integers | None = None
    senders: Integers | None = None
    counts: Doubles | None = None
    rows: int = 1

    def only(self, keep: Bools) -> "LabelledEmbeddings":
        """Those that `keep` [n] marks."""
        return LabelledEmbeddings(
            self.values[keep],
            self.labels[keep],
            None if self.groups is None else self.groups[keep],
            None if self.senders is None else self.senders[keep],
            None if self.counts is None else self.counts[keep],
            self.rows,
        )

    @property
    def group_of(self) -> Integers:
        return np.arange(len(self.labels)) if self.groups is None else self.groups


@dataclass(frozen=True)
class FittedHead:
    """`pull` is the factor of prior_strength; `unseen_loss` the mean cross entropy, by pull, of
    corrections that the head had not learnt; empty with one group."""

    head: Head
    pull: float
    unseen_loss: dict[float, float]


def chosen_fit(
    anchor: Head,
    memory: LabelledEmbeddings,
    corrections: LabelledEmbeddings,
    spec: TeachSpec,
    label_smoothing: float,
) -> FittedHead:
    """The head at the pull that serves unseen corrections best."""

    def fitted(kept: LabelledEmbeddings, pull: float, start: Head) -> Head:
        return solve(anchor, memory, kept, spec, label_smoothing, pull, start)

    parts = dealt(corrections.group_of, PARTS)
    if len(parts) < 2:
        return FittedHead(fitted(corrections, 1.0, anchor), 1.0, {})
    heads: dict[float, Head] = {}
    losses: dict[float, float] = {}
    for pull in PULLS:
        near = heads[pull] = fitted(corrections, pull, anchor)
        losses[pull] = _unseen_loss(corrections, parts, partial(fitted, pull=pull, start=near))
    pull = min(losses, key=lambda each: losses[each])
    return FittedHead(heads[pull], pull, losses)


def _unseen_loss(
    corrections: LabelledEmbeddings,
    parts: Sequence[Bools],
    fitted: Callable[[LabelledEmbeddings], Head],
) -> float:
    """The mean over groups of the loss of a group to a head that lacked it."""
    found = np.zeros(len(corrections.labels))
    for part in parts:
        unseen = corrections.only(part)
        lacking = fitted(corrections.only(~part))
        found[part] = label_losses(lacking, unseen.values.astype(np.float32), unseen.labels)
    votes = 1 / np.bincount(corrections.group_of)[corrections.group_of]
    return float(np.average(found, weights=votes))


def dealt(groups: Integers, parts: int) -> list[Bools]:
    """At most so many parts of whole groups, each a mask [n]."""
    names = np.unique(groups)
    return [np.isin(groups, names[place::parts]) for place in range(min(parts, len(names)))]


def solve(
    anchor: Head,
    memory: LabelledEmbeddings,
    corrections: LabelledEmbeddings,
    spec: TeachSpec,
    label_smoothing: float,
    pull: float,
    start: Head | None = None,
) -> Head:
    """The best head at `pull` times the domain's prior strength, found from `start` or the anchor:
    it is the same from wherever, and found sooner from nearby."""
    classes, remembered = len(anchor.bias), len(memory.labels)
    values = np.vstack([memory.values, corrections.values]).astype(np.float64)
    targets = np.vstack(
        [
            softmax(anchor.logits(memory.values), axis=1),
            smoothed_targets(corrections.labels, classes, label_smoothing),
        ]
    )
    weights = np.concatenate(
        [
            balanced_weights(memory.labels, classes),
            correction_weights(corrections, remembered, spec),
        ]
    )
    weights /= max(1, remembered)
    prior = prior_weight(values, spec, pull)
    return _minimise(anchor, start or anchor, with_ones(values), targets, weights, prior)


def prior_weight(values: Doubles, spec: TeachSpec, pull: float) -> float:
    """What |W - W_anchor|^2 counts."""
    scale = float(np.square(values).sum(axis=1).mean()) if len(values) else 1.0
    return pull * spec.prior_strength * scale


def with_ones(values: Doubles) -> Doubles:
    """[n, D] -> [n, D + 1]: the bias is the weight of what is always 1."""
    return np.hstack([values, np.ones((len(values), 1))])


def balanced_weights(labels: Integers, classes: int) -> Doubles:
    """Mean 1 over the clips, the same sum for every label that occurs."""
    counts = np.bincount(labels, minlength=classes)
    present = np.count_nonzero(counts)
    return np.asarray(len(labels) / (max(1, present) * np.maximum(counts, 1)))[labels]


def correction_weights(
    corrections: LabelledEmbeddings, remembered: int, spec: TeachSpec
) -> Doubles:
    """[n]: all corrections together never outweigh SHARE of all that is remembered, where that is
    a correction at least."""
    weights = effective_counts(corrections) * spec.correction_weight
    remembered = max(remembered, 1)
    most = max(SHARE * remembered, min(remembered, spec.correction_weight * corrections.rows))
    return np.asarray(weights * min(1.0, most / max(weights.sum(), 1e-12)))


def full_clips(corrections: LabelledEmbeddings, remembered: int, spec: TeachSpec) -> Doubles:
    """For how many clips each row counts [n], where a lone correction is one: of many together
    each weighs less, and does less harm."""
    weights = correction_weights(corrections, remembered, spec)
    return np.asarray(weights / (spec.correction_weight * corrections.rows))


def effective_counts(corrections: LabelledEmbeddings) -> Doubles:
    """As how many rows each counts [n]: copies as one; the n clips of a large group, and so a label
    of few groups, as 2 sqrt(n), ten at most; and no sender as more than half of what all sent."""
    counts = corrections.counts
    found = np.ones(len(corrections.labels)) if counts is None else np.asarray(counts, np.float64)
    full, most = GROUP_CLIPS * corrections.rows, MOST_OF_A_GROUP * corrections.rows
    found = _capped(
        found, corrections.group_of, lambda totals: np.minimum(np.sqrt(full * totals), most)
    )
    if corrections.senders is not None and len(np.unique(corrections.senders)) > 1:
        found = _capped(
            found, corrections.senders, lambda totals: np.full_like(totals, totals.sum() / 2)
        )
    return found


def _capped(weights: Doubles, owners: Integers, most: Callable[[Doubles], Doubles]) -> Doubles:
    """Scaled so that those of one owner come to no more than `most` says of all owners' totals."""
    totals = np.bincount(owners, weights).astype(np.float64)
    share = np.minimum(1.0, most(totals) / np.maximum(totals, 1e-12))
    return np.asarray(weights * share[owners])


def smoothed_targets(labels: Integers, classes: int, smoothing: float) -> Doubles:
    """[n, classes]: the best weights stay finite, for a label is never worth an infinite logit."""
    return np.asarray(np.eye(classes)[labels] * (1 - smoothing) + smoothing / classes)


def _minimise(
    anchor: Head,
    start: Head,
    inputs: Doubles,
    targets: Doubles,
    weights: Doubles,
    prior: float,
) -> Head:
    origin, first = (
        np.hstack([head.weight, head.bias[:, None]]).astype(np.float64) for head in (anchor, start)
    )

    def loss(flat: Doubles) -> tuple[float, Doubles]:
        moved = flat.reshape(origin.shape) - origin
        logits = inputs @ flat.reshape(origin.shape).T
        log_p = log_softmax(logits, axis=1)
        fit = -np.sum(weights[:, None] * targets * log_p)
        slope = (weights[:, None] * (np.exp(log_p) - targets)).T @ inputs
        pull = prior * np.sum(np.square(moved))
        return float(fit + pull), np.ravel(slope + 2 * prior * moved)

    with threadpool_limits(1):  # matrices this small cost twice the CPU on two threads
        best = minimize(
            loss, first.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 500, "ftol": 1e-8}
        )
    found = best.x.reshape(origin.shape)
    return Head(found[:, :-1].astype(np.float32), found[:, -1].astype(np.float32))
