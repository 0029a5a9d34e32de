"""Which corrections a refusal is owed to, so that they can wait and the others be learnt.

The head is fitted again without a part of them; what the clips remembered from training and the
other corrections gain by that, in mean cross entropy, is the part's influence. The same fit without
a part is exact forgetting of it: the head of a memory that never held the part.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from data.domains.sections import TeachSpec
from models.tensors import Head
from training.assess.examine import label_losses
from training.teaching.head import Doubles, LabelledEmbeddings, dealt, effective_counts, solve

Mask = NDArray[np.bool_]

# Most right corrections move the loss on training's clips by less, but of those that the model had
# wrong some by seven times as much: only what does a good part of the worst one's harm is suspect.
HARM = 0.35  # divided by the number of remembered clips
OF_THE_WORST = 0.2
MOST_FITS = 60  # more owners than that are looked at in parts first
PARTS_OF_MANY = 20
ATTEMPTS = 2


@dataclass(frozen=True)
class RefusedFit:
    """What a refused head was fitted to; `new` [n] marks corrections that the champion lacked."""

    anchor: Head
    memory: LabelledEmbeddings
    corrections: LabelledEmbeddings
    new: Mask
    spec: TeachSpec
    label_smoothing: float
    pull: float


def harmful_rows(teaching: RefusedFit, attempt: int) -> Doubles:
    """The influence of each row [n] that is to be held back, 0 of the others: of those that harm
    the rest; if none does, or after ATTEMPTS, it is infinite of all that are new."""
    found = influences(teaching) if attempt <= ATTEMPTS else np.zeros(len(teaching.new))
    return found if found.any() else np.where(teaching.new, np.inf, 0.0)


def influences(teaching: RefusedFit) -> Doubles:
    """How much harm each row's clip [n] does to the rest for what it counts, 0 if less than HARM.

    Clips that are `new` to the champion are looked at one by one; if none of them stands out,
    so is all that belongs together, and then all of one sender's.
    """
    corrections, memory = teaching.corrections, teaching.memory
    fitted = partial(solve, teaching.anchor, memory)
    settings = (teaching.spec, teaching.label_smoothing, teaching.pull)
    everything = fitted(corrections, *settings)
    counts = effective_counts(corrections) / corrections.rows
    least = HARM * corrections.rows / max(1, len(memory.labels))

    def influence(part: Mask) -> float:
        rest = corrections.only(~part)
        without = fitted(rest, *settings, everything)
        gain = _loss(everything, memory, rest) - _loss(without, memory, rest)
        return float(gain / counts[part].sum())

    found = np.zeros(len(teaching.new))
    for owners, among in _levels(corrections, teaching.new):
        for part in _narrowed(owners, among, influence):
            found[part] = max(influence(part), 0.0)
        found[found <= max(least, OF_THE_WORST * found.max())] = 0.0
        if found.any():
            break
    return found


def _loss(head: Head, memory: LabelledEmbeddings, others: LabelledEmbeddings) -> float:
    """The mean over remembered clips and other corrections, each alike."""
    values = np.vstack([memory.values, others.values]).astype(np.float32)
    labels = np.concatenate([memory.labels, others.labels])
    return float(label_losses(head, values, labels).mean()) if len(labels) else 0.0


def _levels(corrections: LabelledEmbeddings, new: Mask) -> Iterator[tuple[NDArray[np.int64], Mask]]:
    """Who owns each row [n], and which rows are looked at."""
    every = np.ones(len(new), bool)
    yield np.arange(len(new)) // corrections.rows, new
    yield corrections.group_of, every
    if corrections.senders is not None:
        yield corrections.senders, every


def _narrowed(
    owners: NDArray[np.int64], among: Mask, influence: Callable[[Mask], float]
) -> Iterator[Mask]:
    """What each owner has of the rows `among` them; where they are many, of the owners in those
    parts alone that do harm together, which is less for each than if they did it alone."""
    suspected = among
    if len(np.unique(owners[among])) > MOST_FITS:
        parts = [part & among for part in dealt(owners, PARTS_OF_MANY)]
        harmful = sorted((part for part in parts if part.any()), key=influence, reverse=True)
        suspected = np.zeros(len(among), bool)
        for part in harmful:
            if len(np.unique(owners[suspected | part])) <= MOST_FITS or not suspected.any():
                suspected |= part
    for owner in np.unique(owners[suspected]):
        yield (owners == owner) & suspected
