"""How sure a label's answers have to be to be asserted, from answers that people have reviewed.

A correction says what was answered and how surely, and the clip, once it is accepted, what is
right; a correction that names the answer itself confirms it. What people send is not what they see:
they correct more often than they confirm, so a limit from reviews is rather too high than too low.
"""

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.arrays import Integers
from data.commands.existing_store import existing_store
from data.domains.domain import Domain
from data.errors import InvalidParameter, NotReady
from data.home import Home
from data.store.store import Store
from models.bundle import Bundle, load_bundle, rewrite_bundle
from models.registry.current_model import current
from models.registry.registry import Registry

PRECISION = 0.9  # of the answers that are asserted


@dataclass(frozen=True)
class Threshold:
    """A label's limit, None where it is never asserted, and how many of its answers were reviewed
    and were right; of too few of them it stays as it was."""

    label: str
    before: float | None
    after: float | None
    reviewed: int
    right: int

    @property
    def changed(self) -> bool:
        return self.after != self.before


@dataclass(frozen=True)
class Reviewed:
    answer: str
    confidence: float
    right: str


def reviewed_answers(store: Store, domain: Domain) -> list[Reviewed]:
    """Of each accepted clip the first answer that somebody spoke of: from before it was taught."""
    accepted = store.clips.find(domain.name, state="accepted", limit=None)
    right = {clip.sha256: clip.label for clip in accepted if clip.label in domain.labels}
    said = store.feedback.find(domain.name, limit=None)
    first = {one.clip_sha256: one for one in reversed(said) if one.predicted in domain.labels}
    return [
        Reviewed(one.predicted, one.confidence, label)
        for one in first.values()
        if (label := right.get(one.clip_sha256))
    ]


def thresholds(bundle: Bundle, answers: Sequence[Reviewed], precision: float) -> list[Threshold]:
    """One for each label; raises InvalidParameter for a model that asserts nothing by its card."""
    labels, before = bundle.labels, bundle.card.assert_at
    if not before:
        raise InvalidParameter(
            f"nothing of {bundle.domain.name} is asserted, so there is no threshold to set: its "
            "answers are masks, or its card is older than assertions"
        )
    said = np.array([labels.index(one.answer) for one in answers], np.int64)
    right = np.array([labels.index(one.right) for one in answers], np.int64)
    probabilities = np.zeros((len(answers), len(labels)))
    probabilities[np.arange(len(answers)), said] = [one.confidence for one in answers]
    fitted = lowest_right(probabilities, right, precision)
    found = []
    for place, label in enumerate(labels):
        own = said == place
        enough = own.sum() >= fewest(precision)
        after = fitted[place] if enough else before[label]
        found.append(
            Threshold(label, before[label], after, int(own.sum()), int((right[own] == place).sum()))
        )
    return found


def lowest_right(
    probabilities: NDArray[np.floating], labels: Integers, precision: float
) -> list[float | None]:
    """For each label the lowest confidence from which on its answers held `precision` on these
    clips [N, C]; None where they never did. The precision is Laplace's (right + 1) / (answers + 2):
    three lucky clips are not enough for 0.9, it takes eight right ones of eight."""
    answers, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    found: list[float | None] = []
    for label in range(probabilities.shape[1]):
        own = np.flatnonzero(answers == label)
        own = own[np.argsort(-confidence[own], kind="stable")]
        held = (np.cumsum(labels[own] == label) + 1) / (np.arange(len(own)) + 3) >= precision
        places = np.flatnonzero(held)
        found.append(float(confidence[own[places[-1]]]) if len(places) else None)
    return found


def fewest(precision: float) -> int:
    """Right answers without a wrong one, from which on `lowest_right` believes in a precision:
    (n + 1) / (n + 2) is at least that."""
    wanted = Fraction(str(precision))
    return math.ceil((2 * wanted - 1) / (1 - wanted))


def by_reviews(
    bundle: Bundle, found: Sequence[Threshold], precision: float, folder: Path
) -> Bundle:
    """The same model with these thresholds, into `folder`; its card says what they rest on."""
    answers = sum(one.reviewed for one in found)
    basis = {"asserted_by_reviews": {"precision": precision, "answers": answers}}
    fields = {
        "assert_at": {one.label: one.after for one in found},
        "parent": bundle.digest,
        "training": bundle.card.training.model_dump() | basis,
    }
    if told := bundle.card.metrics.out_of_fold:  # which was of the limits before
        none = {"asserted": None, "asserted_right": None}
        once = told.each_group_once.model_copy(update=none)
        told = told.model_copy(update={**none, "each_group_once": once})
        metrics = bundle.card.metrics.model_copy(update={"out_of_fold": told})
        fields |= {"metrics": metrics.model_dump()}
    return rewrite_bundle(bundle, folder, fields=fields)


def recalibrate_by_reviews(domain: Domain, home: Home, precision: float) -> list[str]:
    """Registers the champion with the thresholds of its reviewed answers, beside it; lines that
    say what changed, and how it becomes champion."""
    store = existing_store(home)
    if store is None:
        raise NotReady(f"nothing is kept in {home.root} yet, so nobody has reviewed anything")
    folder, version = current(domain, home)
    bundle, answers = load_bundle(folder), reviewed_answers(store, domain)
    found = thresholds(bundle, answers, precision)
    lines = [f"{domain.name}, version {version}: {len(answers)} reviewed answers"]
    lines += [_line(one, precision) for one in found]
    if not any(one.changed for one in found):
        return [*lines, "No threshold changes."]
    registry = Registry(home.tracking_uri, home.artifact_root)
    with tempfile.TemporaryDirectory() as made:
        new = by_reviews(bundle, found, precision, Path(made) / domain.name)
        number = registry.register(
            new, run_id=None, tags={"reviewed_precision": str(precision)}
        ).number
    return [*lines, f"Registered as version {number}: telltale promote {domain.name} {number}"]


def _line(one: Threshold, precision: float) -> str:
    told = (
        f"  {one.label:20} {one.right} of {one.reviewed} right; asserted from {_least(one.after)}"
    )
    if one.reviewed < fewest(precision):
        return f"{told}, as before: {fewest(precision)} reviewed answers are needed"
    return f"{told}, before: {_least(one.before)}"


def _least(confidence: float | None) -> str:
    return "never" if confidence is None else f"{confidence:.2f}"
