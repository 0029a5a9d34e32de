"""What models of folds said of clips that they had not learnt, and what a card says of that: how
often they were right, and how far confidence, assertion and "unknown" held.

Limits that were fitted on the very answers they are judged by would flatter: for each fold they
come from the answers in the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from data.arrays import Bools, Doubles, Floats, Integers
from data.domains.domain import Domain
from models.bundle import Bundle
from models.calibration import softmax
from models.card import EachGroupOnce, OutOfFold
from models.metrics import answer_error, chance_error, confusion_by_clip, intervals, macro_f1, share
from models.tensors import FoldAnswers
from training.assess.calibration.calibrate import beyond, fit, scaled, votes
from training.assess.folds import PARTS


@dataclass(frozen=True)
class FoldCalibration:
    """What models of folds said, how clips were dealt to them, and from what they started."""

    answers: FoldAnswers
    by: str
    start: str | None


def carried(bundle: Bundle, label_of: Mapping[str, str]) -> FoldCalibration | None:
    """What a bundle carries of these clips, by their digests: nothing of those that are labelled
    otherwise now, or are no longer learnt."""
    answers, figures = bundle.fold_answers(), bundle.card.metrics.out_of_fold
    if answers is None or figures is None:
        return None
    now = np.array([label_of.get(clip, "") for clip in answers.clip_ids])
    same = now == np.array(bundle.labels)[answers.labels]
    return FoldCalibration(answers.only(same), figures.by, figures.start)


def figures_of(found: FoldCalibration, domain: Domain) -> OutOfFold:
    """Where a column of the data set says the folds (a speaker), a group is a fold: all that one
    speaker says is alike, in whatever recording."""
    answers = found.answers
    groups = answers.groups if found.by in PARTS else answers.folds
    said = answers.logits.argmax(axis=1)
    tables = confusion_by_clip(answers.labels, said, len(domain.labels))
    confidence, asserted, unknown = cross_fitted(answers, domain)
    right, names = said == answers.labels, groups.astype(str).tolist()
    sure = [name for name, is_sure in zip(names, asserted, strict=True) if is_sure]
    once = votes(groups)
    return OutOfFold(
        by=found.by,
        start=found.start,
        clips=len(said),
        groups=len(np.unique(groups)),
        folds=len(np.unique(answers.folds)),
        **intervals(tables, groups),
        calibration_error=answer_error(confidence, right),
        chance_error=chance_error(confidence, groups),
        asserted=share(asserted, names),
        asserted_right=share(right[asserted], sure) if sure else None,
        unknown=share(unknown, names),
        each_group_once=EachGroupOnce(
            accuracy=_weighed(right, once),
            macro_f1=macro_f1(_in_millionths(np.tensordot(once, tables, axes=1))),
            asserted=_weighed(asserted, once),
            asserted_right=_weighed(right[asserted], once[asserted]) if sure else None,
            unknown=_weighed(unknown, once),
        ),
    )


def _in_millionths(weighed: Doubles) -> Integers:
    """A confusion table in whole numbers."""
    return np.asarray(np.rint(1e6 * weighed), np.int64)


def _weighed(hits: Bools, weights: Doubles) -> float:
    return float(np.average(hits, weights=weights))


def cross_fitted(answers: FoldAnswers, domain: Domain) -> tuple[Floats, Bools, Bools]:
    """Each clip's confidence, whether it is asserted and whether it is unknown, [n]."""
    size = len(answers.labels)
    confidence = np.zeros(size, np.float32)
    asserted, unknown = np.zeros(size, bool), np.zeros(size, bool)
    for fold in np.unique(answers.folds):
        here = answers.folds == fold
        fields, ours = fit(domain, scaled(answers.only(~here), 1.0)), answers.only(here)
        probabilities = softmax(ours.logits / np.float32(fields["temperature"]))
        said: Integers = probabilities.argmax(axis=1)
        confidence[here] = probabilities.max(axis=1)
        if novelty := fields["novelty"]:
            limits = np.array(list(novelty["limits"].values()))
            unknown[here] = beyond(ours.own, ours.other, said, limits, novelty["nearest_other"])
        needed = np.array(list(fields["assert_at"].values()))
        asserted[here] = ~unknown[here] & (confidence[here] >= needed[said])
    return confidence, asserted, unknown
