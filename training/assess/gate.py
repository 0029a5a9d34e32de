"""May the challenger replace the champion? Yes or no, with the reasons in plain sentences.

Both sit the same exam, and only clips that both have sat count. The challenger is refused when

- its macro-F1 is lower by more than `gate.max_macro_f1_drop`, or
- it is lower at all and a paired bootstrap over the exam's groups is sure of it (the 95 % interval
  of the difference lies below zero), or
- one label's F1 falls by more than `gate.max_class_f1_drop`,

unless it learns nothing and only forgets clips that people asked us to forget (`must_forget`).

How far its confidence may be trusted is asked in `confidence_gate.py`, of a taught one in
`approval.py`.

A taught one is compared with the anchor, the head of the last full training, in the same way: what
may be lost is one budget for all teaches since then, which a hundred of them cannot use twice.

A challenger that is merely not better passes: people's corrections are worth having even where
the exam does not ask about them. Paired, because both answer the same clips and most of the
spread of two separate scores is the clips' difficulty; by group, for what was cut from one
recording is right or wrong together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data.arrays import Bools, Doubles, Integers
from data.domains.sections import GateSpec
from models.metrics import confusion, figures, macro_f1

NAMED = 5  # of the answers that an update breaks


@dataclass(frozen=True)
class ExamPredictions:
    """What one bundle answered: `labels` are the right answers, `answers` its own, by index;
    [clips], or [clips, rows] where a clip is asked about in several places."""

    clip_ids: tuple[str, ...]
    labels: Integers
    answers: Integers
    groups: Integers | None = None  # [clips], of clips that belong together

    @property
    def right(self) -> Bools:
        """[clips]: whether every row is answered right."""
        return np.asarray((self.labels == self.answers).reshape(len(self.clip_ids), -1).all(axis=1))


@dataclass(frozen=True)
class Verdict:
    """`by_clips`: what a refusal is owed to shows in what clips of training are answered."""

    promoted: bool
    reasons: tuple[str, ...]
    by_clips: bool = True


@dataclass(frozen=True)
class Comparison:
    """Challenger and champion on the same clips; `difference` [samples] is the bootstrap's."""

    clips: int
    groups: int
    challenger_f1: Doubles
    champion_f1: Doubles
    challenger_macro: float
    champion_macro: float
    difference: Doubles
    uncertainty: float  # of the champion's own macro-F1: 1.96 standard errors

    @property
    def drop(self) -> float:
        return self.champion_macro - self.challenger_macro


def judge(
    challenger: ExamPredictions,
    champion: ExamPredictions | None,
    names: tuple[str, ...],
    spec: GateSpec,
    anchor: ExamPredictions | None = None,
) -> Verdict:
    """`anchor` is what the last full training answered, where the challenger was taught since."""
    if champion is None:
        return _first(challenger, names)
    challenger, champion = same_clips(challenger, champion)
    if not challenger.clip_ids:
        return Verdict(False, ("the two models have no exam clip in common to compare them on",))
    found = compare(challenger, champion, len(names), spec.bootstrap_samples)
    told = [_summary(found), *_changed(challenger, champion, names)]
    objections = [*_worse_overall(found, spec), *_worse_labels(found, names, spec)]
    if anchor is not None:
        challenger, anchor = same_clips(challenger, anchor)
        since = compare(challenger, anchor, len(names), spec.bootstrap_samples)
        worse = [*_worse_overall(since, spec), *_worse_labels(since, names, spec)]
        objections += [f"since the last full training {objection}" for objection in worse]
    return Verdict(not objections, (*told, *objections))


def with_objections(verdict: Verdict, objections: tuple[str, ...]) -> Verdict:
    """Of what no clip of training can tell."""
    reasons = (*verdict.reasons, *objections)
    return Verdict(verdict.promoted and not objections, reasons, not verdict.promoted)


def must_forget(verdict: Verdict, clips: int) -> Verdict:
    """A challenger that learnt nothing and only forgets is not refused, whatever the exam says."""
    asked = f"it only forgets what people asked us to forget (clips: {clips})"
    return Verdict(True, (*verdict.reasons, f"{asked}, so it is promoted whatever the exam says"))


def same_clips(
    left: ExamPredictions, right: ExamPredictions
) -> tuple[ExamPredictions, ExamPredictions]:
    """The predictions of both for the clips that both were asked, in one order."""
    here, there = same_places(left.clip_ids, right.clip_ids)
    return _take(left, here), _take(right, there)


def same_places(left: Sequence[str], right: Sequence[str]) -> tuple[Integers, Integers]:
    """Where each of the clips that both have stands in either, in the order of the left."""
    places = {clip: place for place, clip in enumerate(right)}
    here = [place for place, clip in enumerate(left) if clip in places]
    there = [places[left[place]] for place in here]
    return np.array(here, np.int64), np.array(there, np.int64)


def compare(
    challenger: ExamPredictions,
    champion: ExamPredictions,
    classes: int,
    samples: int,
    seed: int = 0,
) -> Comparison:
    """Predictions for the same clips; the bootstrap draws groups with return, for both alike."""
    size = len(challenger.labels)
    groups = np.arange(size) if challenger.groups is None else challenger.groups
    place = np.unique(groups, return_inverse=True)[1]
    witnesses = int(place.max()) + 1
    fair = np.full(witnesses, 1 / witnesses)
    draws = np.random.default_rng(seed).multinomial(witnesses, fair, samples)[:, place]
    new = confusion(challenger.labels.ravel(), challenger.answers.ravel(), classes)
    old = confusion(champion.labels.ravel(), champion.answers.ravel(), classes)
    theirs = _macro_f1s(champion, classes, draws)
    return Comparison(
        clips=size,
        groups=witnesses,
        challenger_f1=figures(new)[2],
        champion_f1=figures(old)[2],
        challenger_macro=macro_f1(new),
        champion_macro=macro_f1(old),
        difference=_macro_f1s(challenger, classes, draws) - theirs,
        uncertainty=float(1.96 * theirs.std()),
    )


def _macro_f1s(predictions: ExamPredictions, classes: int, draws: Integers) -> Doubles:
    """Macro-F1 [samples], where clip i counts `draws[sample, i]` times: all samples in two
    matrix products instead of a table each."""
    each = (len(predictions.clip_ids), -1, classes)
    asked, answered = (
        np.eye(classes)[ids].reshape(each) for ids in (predictions.labels, predictions.answers)
    )
    right, either = (draws @ part.sum(axis=1) for part in (asked * answered, asked + answered))
    f1 = 2 * right / np.maximum(either, 1)
    return np.asarray(f1.sum(axis=1) / np.count_nonzero(either, axis=1))


def _first(challenger: ExamPredictions, names: tuple[str, ...]) -> Verdict:
    counts = confusion(challenger.labels.ravel(), challenger.answers.ravel(), len(names))
    score = macro_f1(counts)
    chance = 1 / len(names)
    text = f"macro-F1 {score:.3f} with no champion to compare against; chance is {chance:.3f}"
    if score > chance:
        return Verdict(True, (text,))
    return Verdict(False, (text, "the model does no better than guessing"))


def _summary(found: Comparison) -> str:
    low, high = np.quantile(found.difference, (0.025, 0.975))
    return (
        f"macro-F1 {found.challenger_macro:.3f} against the champion's "
        f"{found.champion_macro:.3f} ({0.0 - found.drop:+.3f}, 95 % interval {low:+.3f} to "
        f"{high:+.3f}) on {found.clips} exam clips in {found.groups} groups, which know a model's "
        f"macro-F1 to \N{PLUS-MINUS SIGN}{found.uncertainty:.3f}"
    )


def _changed(
    challenger: ExamPredictions, champion: ExamPredictions, names: tuple[str, ...]
) -> tuple[str, ...]:
    """Which right answers the update breaks (negative flips), and how many wrong ones it mends."""
    broken = np.flatnonzero(champion.right & ~challenger.right)
    mended = int(np.sum(~champion.right & challenger.right))
    if not len(broken):
        return (f"it mends {mended} wrong answers and breaks none",) if mended else ()
    first = [
        f"{challenger.clip_ids[place][:12]} ({names[challenger.labels[place].flat[0]]})"
        for place in broken[:NAMED]
    ]
    more = "" if len(broken) <= NAMED else ", ..."
    return (
        f"it mends {mended} wrong answers and breaks {len(broken)} right ones: "
        f"{', '.join(first)}{more}",
    )


def _worse_overall(found: Comparison, spec: GateSpec) -> tuple[str, ...]:
    if found.drop > spec.max_macro_f1_drop:
        allowed = f"{spec.max_macro_f1_drop:g}"
        return (f"macro-F1 falls by {found.drop:.3f}, more than the {allowed} allowed",)
    if found.drop > 0 and np.quantile(found.difference, 0.975) < 0:
        return (f"macro-F1 falls by {found.drop:.3f}: little, but the exam leaves no doubt of it",)
    return ()


def _worse_labels(found: Comparison, names: tuple[str, ...], spec: GateSpec) -> tuple[str, ...]:
    return tuple(
        f"F1 of {name} falls from {before:.3f} to {after:.3f}, "
        f"more than the {spec.max_class_f1_drop:g} allowed"
        for name, before, after in zip(names, found.champion_f1, found.challenger_f1, strict=True)
        if before - after > spec.max_class_f1_drop
    )


def _take(predictions: ExamPredictions, places: Integers) -> ExamPredictions:
    clips = tuple(predictions.clip_ids[place] for place in places)
    groups = None if predictions.groups is None else predictions.groups[places]
    return ExamPredictions(clips, predictions.labels[places], predictions.answers[places], groups)
