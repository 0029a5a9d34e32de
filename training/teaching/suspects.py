"""Which corrections a refusal is owed to, so that they can wait and the others be learnt.

The head is fitted again without a part of them; what the clips remembered from training and the
other corrections gain by that, in mean cross entropy, is the part's influence. The same fit without
a part is exact forgetting of it: the head of a memory that never held the part.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from data.domains.sections import TeachSpec
from models.tensors import Head
from training.teaching.head import Doubles, LabelledEmbeddings, dealt, solve, witnesses

Mask = NDArray[np.bool_]

HARM = 0.001  # a right correction moves the loss on training's clips by a third of that at most
MOST_FITS = 60  # more owners than that are looked at in parts
PARTS_OF_MANY = 20


def influences(
    anchor: Head,
    memory: LabelledEmbeddings,
    corrections: LabelledEmbeddings,
    new: Mask,
    spec: TeachSpec,
    label_smoothing: float,
    pull: float,
) -> Doubles:
    """How much harm each row's clip [n] does to the rest for what it counts, 0 if less than HARM.

    Clips that are `new` [n] to the champion are looked at one by one; if none of them stands out,
    so is all that belongs together, and then all of one sender's.
    """

    fitted = partial(solve, anchor, memory)
    everything = fitted(corrections, spec, label_smoothing, pull)
    counts = witnesses(corrections) / corrections.rows
    found = np.zeros(len(new))
    for parts in _levels(corrections, new):
        for part in parts:
            rest = corrections.only(~part)
            without = fitted(rest, spec, label_smoothing, pull, everything)
            gain = _loss(everything, memory, rest) - _loss(without, memory, rest)
            influence = gain / counts[part].sum()
            found[part] = influence if influence > HARM else 0.0
        if found.any():
            break
    return found


def _loss(head: Head, memory: LabelledEmbeddings, others: LabelledEmbeddings) -> float:
    """The mean over remembered clips and other corrections, each alike."""
    values = np.vstack([memory.values, others.values]).astype(np.float32)
    labels = np.concatenate([memory.labels, others.labels])
    log_p = log_softmax(head.logits(values).astype(np.float64), axis=1)
    return float(-log_p[np.arange(len(labels)), labels].mean()) if len(labels) else 0.0


def _levels(corrections: LabelledEmbeddings, new: Mask) -> Iterator[Sequence[Mask]]:
    every = np.ones(len(new), bool)
    yield _of_each(np.arange(len(new)) // corrections.rows, new)
    yield _of_each(corrections.group_of, every)
    if corrections.senders is not None:
        yield _of_each(corrections.senders, every)


def _of_each(owners: NDArray[np.int64], among: Mask) -> Sequence[Mask]:
    """What each owner has of those that are `among` them; of many owners, of some together."""
    names = np.unique(owners[among])
    if len(names) <= MOST_FITS:
        return [(owners == name) & among for name in names]
    return [part & among for part in dealt(owners, PARTS_OF_MANY) if (part & among).any()]
