"""Which corrections a refusal is owed to, so that they can wait and the others be learnt.

The head is fitted again without a part of them; what the clips remembered from training and the
other corrections gain by that, in mean cross entropy, is the part's influence. The same fit without
a part is exact forgetting of it: the head of a memory that never held the part.

Of up to MOST_FITS clips each is left out once. Of more, one alone tells little: many wrong ones
hide each other, and each weighs less. They are put in the order of their first-order influence
(`influence_order.py`), and the place in it up to which leaving out still helps is found by
bisection, in some fifteen fits however many they are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from data.arrays import Bools, Doubles, Integers
from data.domains.sections import TeachSpec
from models.tensors import Head
from training.assess.examine import label_losses
from training.teaching.head import LabelledEmbeddings, full_clips, solve
from training.teaching.influence_order import first_order_influence

# Most right corrections move the loss on training's clips by less, but of those that the model had
# wrong some by seven times as much: only what does a good part of the worst one's harm is suspect.
HARM = 0.35  # divided by the number of remembered clips
OF_THE_WORST = 0.2
MOST_FITS = 60  # of as many owners each is left out once; of more, the first in an order
BLOCKS, LEAST_BLOCK = 64, 10  # owners are weighed in as many blocks, of as many at least
STANDS_OUT = 5.0  # a block that harms by as much more than one in the middle of the order
ATTEMPTS = 2


@dataclass(frozen=True)
class RefusedFit:
    """What a refused head was fitted to; `new` [n] marks corrections that the champion lacked."""

    anchor: Head
    memory: LabelledEmbeddings
    corrections: LabelledEmbeddings
    new: Bools
    spec: TeachSpec
    label_smoothing: float
    pull: float

    @cached_property
    def head(self) -> Head:
        return self._fitted(self.corrections, self.anchor)

    def without(self, part: Bools) -> Head:
        return self._fitted(self.corrections.only(~part), self.head)

    def _fitted(self, corrections: LabelledEmbeddings, start: Head) -> Head:
        settings = self.spec, self.label_smoothing, self.pull
        return solve(self.anchor, self.memory, corrections, *settings, start)

    @property
    def least_harm(self) -> float:
        return HARM * self.corrections.rows / max(1, len(self.memory.labels))


def harmful_rows(refused: RefusedFit, attempt: int) -> Doubles:
    """The influence of each row [n] that is to be held back, 0 of the others: of those that harm
    the rest; if none does, or after ATTEMPTS, it is infinite of all that are new."""
    found = influences(refused) if attempt <= ATTEMPTS else np.zeros(len(refused.new))
    return found if found.any() else np.where(refused.new, np.inf, 0.0)


def influences(refused: RefusedFit) -> Doubles:
    """How much harm each row's clip [n] does to the rest for what it counts, 0 if less than HARM.

    Clips that are `new` to the champion are looked at one by one; if none of them stands out,
    so is all that belongs together, and then all of one sender's.
    """
    for owners, among in _levels(refused.corrections, refused.new):
        many = len(np.unique(owners[among])) > MOST_FITS
        found = (_of_the_first if many else _of_each)(refused, owners, among)
        found[found <= max(refused.least_harm, OF_THE_WORST * found.max(initial=0.0))] = 0.0
        if found.any():
            return found
    return np.zeros(len(refused.new))


def _levels(corrections: LabelledEmbeddings, new: Bools) -> Iterator[tuple[Integers, Bools]]:
    """Who owns each row [n], and which rows are looked at."""
    every = np.ones(len(new), bool)
    yield np.arange(len(new)) // corrections.rows, new
    yield corrections.group_of, every
    if corrections.senders is not None and len(np.unique(corrections.senders)) > 1:
        yield corrections.senders, every


def _of_each(refused: RefusedFit, owners: Integers, among: Bools) -> Doubles:
    """[n]: what the rest gains if all that an owner has of the rows `among` them is left out."""
    corrections = refused.corrections
    counts = full_clips(corrections, len(refused.memory.labels), refused.spec)
    found = np.zeros(len(among))
    for owner in np.unique(owners[among]):
        part = (owners == owner) & among
        rest = corrections.only(~part)
        gain = _loss(refused, refused.head, rest) - _loss(refused, refused.without(part), rest)
        found[part] = max(gain / float(counts[part].sum()), 0.0)
    return found


def _of_the_first(refused: RefusedFit, owners: Integers, among: Bools) -> Doubles:
    """[n]: what the rest gains, for what each counts, if the first of many owners are left out:
    those up to the place where leaving out hardly helps any more. The later half of them, which
    does least harm, is the rest that judges."""
    corrections = refused.corrections
    places, owned = _in_order(refused, owners, among)
    half, width = owned // 2, max(LEAST_BLOCK, owned // BLOCKS)
    rest = corrections.only(places >= half)
    counts = full_clips(corrections, len(refused.memory.labels), refused.spec)

    @cache
    def loss(place: int) -> float:
        return _loss(refused, refused.without(places < place), rest)

    def gain(start: int, end: int) -> float:
        block = (places >= start) & (places < end)
        return (loss(start) - loss(end)) / float(counts[block].sum())

    most, usual = gain(0, width), gain(half - width, half)
    if most < STANDS_OUT * usual:
        return np.zeros(len(among))
    enough = usual + OF_THE_WORST * (most - usual)
    low, high = 0, half - width
    while high - low > width // 2:
        middle = (low + high) // 2
        low, high = (middle, high) if gain(middle, middle + width) > enough else (low, middle)
    end = low + width // 2
    return np.where(places < end, max(gain(0, end), 0.0), 0.0)


def _in_order(refused: RefusedFit, owners: Integers, among: Bools) -> tuple[Integers, int]:
    """The place [n] of each row's owner, the most harmful one's 0, and how many owners there are;
    what is not `among` them comes behind them all."""
    harm = first_order_influence(
        refused.head,
        refused.memory,
        refused.corrections,
        refused.spec,
        refused.label_smoothing,
        refused.pull,
    )
    names, owner = np.unique(owners[among], return_inverse=True)
    mean = np.bincount(owner, harm[among]) / np.bincount(owner)
    place = np.empty(len(names), np.int64)
    place[np.argsort(-mean)] = np.arange(len(names))
    found = np.full(len(among), len(names), np.int64)
    found[among] = place[owner]
    return found, len(names)


def _loss(refused: RefusedFit, head: Head, others: LabelledEmbeddings) -> float:
    """The mean over remembered clips and other corrections, each alike."""
    memory = refused.memory
    values = np.vstack([memory.values, others.values]).astype(np.float32)
    labels = np.concatenate([memory.labels, others.labels])
    return float(label_losses(head, values, labels).mean()) if len(labels) else 0.0
