"""What people, careless ones and bad ones may teach, and what comes of it.

Every scenario begins with the anchor as champion. Clips are drawn by group, so that those that
judge never share a recording with those that were taught.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from data.arrays import Bools, Floats, Integers
from models.tensors import Head
from training.trial.copies import exam_copies
from training.trial.material import TrialMaterial
from training.trial.teach_loop import Batch, TeachLoop

Figures = Mapping[str, list[float]]  # each of one teach, or of one run of them
Rng = np.random.Generator

HONEST_TEACHES = 36
GOOD_BEFORE, BAD_CLIPS, GOOD_AFTER = 10, 12, 20
POISON_SIZES = (1, 4, 12, 20)
FLIP_BATCHES, FLIP_SIZE = 25, 4
CONDITION_CLIPS = 10
LEFT_TO_JUDGE = 0.4  # of the groups, at least
NOBODY = 10**6  # groups from here on are of no recording


def honest(material: TrialMaterial, rng: Rng) -> Figures:
    """Right one-clip teaches: how the clips that were not taught fare."""
    taught = _drawn(material, HONEST_TEACHES, rng)
    loop = TeachLoop(material, material.anchor)
    promoted = [loop.teach(_batch(material, [place])) for place in taught]
    return {
        "honest: other clips": _gains(material, loop.champion, _others(material, taught)),
        "honest: promoted": [float(np.mean(promoted))],
    }


def wedge(material: TrialMaterial, rng: Rng) -> Figures:
    """Ten right clips, then twelve of one label called another: what becomes of right ones. No clip
    is sent twice."""
    bad = _flipped_label(material, BAD_CLIPS, rng)
    others = rng.permutation(np.flatnonzero(~np.isin(material.groups, bad.groups)))
    before, after = np.split(others[: GOOD_BEFORE + GOOD_AFTER], [GOOD_BEFORE])
    loop = TeachLoop(material, material.anchor)
    loop.teach(_batch(material, before))
    loop.teach(bad)
    promoted = [loop.teach(_batch(material, [place])) for place in after]
    return {"wedge: honest teaches promoted": [float(np.mean(promoted))]}


def poison(material: TrialMaterial, rng: Rng) -> Figures:
    """Single teaches that ought not to be: 1 for each that is promoted and lowers the right
    answers to other clips by more than 0.02. And right ones beside them, for what chance does."""
    found: dict[str, list[float]] = {}
    for name, batch in _poisons(material, rng):
        promoted, harmful = _taught_alone(material, batch)
        found.setdefault("poison: promoted", []).append(promoted)
        found.setdefault("poison: harmful", []).append(harmful)
        found.setdefault(f"poison, {name}: harmful", []).append(harmful)
    right_ones = [_batch(material, _drawn(material, size, rng)) for size in POISON_SIZES]
    found["right instead of poison: harmful"] = [
        _taught_alone(material, batch)[1] for batch in right_ones
    ]
    return found


def _taught_alone(material: TrialMaterial, batch: Batch) -> tuple[float, float]:
    """Whether it is promoted, and whether it then costs others more than 0.02."""
    loop = TeachLoop(material, material.anchor)
    promoted = loop.teach(batch)
    lost = -_gain(material, loop.champion, ~np.isin(material.groups, batch.groups))
    return float(promoted), float(promoted and lost > 0.02)


def flips(material: TrialMaterial, rng: Rng) -> Figures:
    """Batches of clips with random wrong labels, one after the other, heard in every condition so
    that none is sent twice: how the clips that were not sent fare."""
    sent = _drawn(material, len(material.labels), rng)
    heard = np.concatenate(
        [each[sent] for each in (material.values, *material.conditions.values())]
    )
    places = np.tile(sent, 1 + len(material.conditions))
    loop = TeachLoop(material, material.anchor)
    order = rng.permutation(len(places))[: FLIP_BATCHES * FLIP_SIZE]
    for batch in np.array_split(order, FLIP_BATCHES):
        wrong = _wrong(material, material.labels[places[batch]], rng)
        loop.teach(Batch(heard[batch], wrong, material.groups[places[batch]]))
    return {"flips: other clips": _gains(material, loop.champion, _others(material, sent))}


def half_of_the_wrong(material: TrialMaterial, rng: Rng) -> Figures:
    """Half of the groups with wrong answers are taught, in each condition: how many answers of the
    other half are right then."""
    found: dict[str, list[float]] = {}
    for values in (material.values, *material.conditions.values()):
        wrong = ~right(material.anchor, values, material.labels)
        groups = rng.permutation(np.unique(material.groups[wrong]))
        taught = np.flatnonzero(wrong & np.isin(material.groups, groups[: len(groups) // 2]))
        rest = wrong & np.isin(material.groups, groups[len(groups) // 2 :])
        if len(taught) and rest.any():
            loop = TeachLoop(material, material.anchor)
            loop.teach(_batch(material, taught, values=values))
            fixed = right(loop.champion, values[rest], material.labels[rest])
            found.setdefault("half of the wrong: others mended", []).extend(fixed.astype(float))
            learnt = right(loop.champion, values[taught], material.labels[taught])
            found.setdefault("half of the wrong: learnt", []).extend(learnt.astype(float))
    return found


def new_condition(material: TrialMaterial, rng: Rng) -> Figures:
    """Ten clips by another microphone, in another room or noise: the others there."""
    found: dict[str, list[float]] = {}
    for name, values in material.conditions.items():
        taught = _drawn(material, CONDITION_CLIPS, rng)
        loop = TeachLoop(material, material.anchor)
        loop.teach(_batch(material, taught, values=values))
        gains = _gains(material, loop.champion, _others(material, taught), values)
        found.setdefault("new condition: untaught clips", []).extend(gains)
        found[f"new condition, {name}: untaught clips"] = gains
    return found


def creep(material: TrialMaterial, rng: Rng) -> Figures:
    """Teaches of no value, each a clip between two labels called either: the curve of what the
    live model loses."""
    loop, every = TeachLoop(material, material.anchor), np.ones(len(material.labels), bool)
    curve = []
    for step in range(HONEST_TEACHES):
        first, second = rng.permutation(len(material.memory.labels))[:2]
        middle = (material.memory.values[[first]] + material.memory.values[[second]]) / 2
        label = material.memory.labels[[first]]
        loop.teach(Batch(middle.astype(np.float32), label, np.array([NOBODY + step])))
        curve.append(_gain(material, loop.champion, every))
    return {"creep: worse by 0.02": [float(curve[-1] < -0.02)], "creep: curve": curve}


SCENARIOS: dict[str, Callable[[TrialMaterial, Rng], Figures]] = {
    "honest": honest,
    "wedge": wedge,
    "poison": poison,
    "flips": flips,
    "half": half_of_the_wrong,
    "condition": new_condition,
    "creep": creep,
    "copies": exam_copies,
}


def right(head: Head, values: Floats, labels: Integers) -> Bools:
    return np.asarray(head.logits(values).argmax(axis=1) == labels)


def _gains(
    material: TrialMaterial, head: Head, judges: Bools, values: Floats | None = None
) -> list[float]:
    """What each group's share of right answers gains over the anchor's."""
    heard = (material.values if values is None else values)[judges]
    after, before = (
        right(each, heard, material.labels[judges]) for each in (head, material.anchor)
    )
    change, groups = after.astype(float) - before, material.groups[judges]
    return [float(change[groups == group].mean()) for group in np.unique(groups)]


def _gain(material: TrialMaterial, head: Head, judges: Bools) -> float:
    return float(np.mean(_gains(material, head, judges)))


def _drawn(material: TrialMaterial, clips: int, rng: Rng) -> Integers:
    """So many clips, of as many groups as can be, which leave enough groups to judge."""
    groups = rng.permutation(np.unique(material.groups))
    allowed = groups[: max(1, int(len(groups) * (1 - LEFT_TO_JUDGE)))]
    places = rng.permutation(np.flatnonzero(np.isin(material.groups, allowed)))
    first = np.unique(material.groups[places], return_index=True)[1]
    others = np.setdiff1d(np.arange(len(places)), first)
    ordered = np.concatenate([rng.permutation(first), others])
    return np.asarray(places[ordered[:clips]])


def _others(material: TrialMaterial, taught: Integers) -> Bools:
    return ~np.isin(material.groups, material.groups[taught])


def _batch(
    material: TrialMaterial,
    places: Integers | list[int],
    labels: Integers | None = None,
    values: Floats | None = None,
) -> Batch:
    heard = material.values if values is None else values
    said = material.labels[places] if labels is None else labels
    return Batch(heard[places], said, material.groups[places])


def _wrong(material: TrialMaterial, labels: Integers, rng: Rng) -> Integers:
    """Another label for each."""
    classes = len(material.bundle.labels)
    return np.asarray((labels + rng.integers(1, classes, len(labels))) % classes)


def _flipped_label(material: TrialMaterial, clips: int, rng: Rng) -> Batch:
    label = rng.permutation(np.unique(material.labels))[0]
    places = rng.permutation(np.flatnonzero(material.labels == label))[:clips]
    other = _wrong(material, np.array([label]), rng)
    return _batch(material, places, np.repeat(other, len(places)))


def _poisons(material: TrialMaterial, rng: Rng) -> Iterator[tuple[str, Batch]]:
    for size in POISON_SIZES:
        yield "one label flipped", _flipped_label(material, size, rng)
        places = rng.permutation(len(material.labels))[:size]
        wrong = _wrong(material, material.labels[places], rng)
        yield "all labels flipped", _batch(material, places, wrong)
        label = np.repeat(rng.integers(0, len(material.bundle.labels), 1), size)
        yield "noise", Batch(material.noise[:size], label, np.full(size, NOBODY))  # one session's
        place = rng.integers(0, len(material.labels), 1)
        wrong = np.repeat(_wrong(material, material.labels[place], rng), size)
        yield "copies of one clip", _batch(material, np.repeat(place, size), wrong)
    places = _drawn(material, max(POISON_SIZES) + 1, rng)
    labels = material.labels[places].copy()
    counts = np.bincount(labels, minlength=len(material.bundle.labels))
    rare = int(np.argmin(counts))
    labels[0] = rare if labels[0] != rare else _wrong(material, labels[:1], rng)[0]
    yield "one wrong of a rare label", _batch(material, places, labels)
