"""What a card says of clips that models of folds had not learnt: how often they were right, and how
far confidence, assertion and "unknown" held.

Limits that were fitted on the very answers they are judged by would flatter: for each fold they
come from the answers in the others.
"""

import numpy as np

from data.arrays import Bools, Floats, Integers
from data.domains.domain import Domain
from models.calibration import softmax
from models.card import OutOfFold
from models.metrics import answer_error, chance_error, intervals, share
from models.tensors import FoldAnswers
from training.assess.calibration.calibrate import beyond, fit, scaled
from training.assess.folds import PARTS


def figures_of(answers: FoldAnswers, by: str, start: str | None, domain: Domain) -> OutOfFold:
    """`start` is the backbone that the folds began with. Where a column of the data set says the
    folds (a speaker), those are drawn for intervals: all that one speaker says is alike."""
    groups = answers.groups if by in PARTS else answers.folds
    said, classes = answers.logits.argmax(axis=1), len(domain.labels)
    tables = np.zeros((len(said), classes, classes), np.int64)
    tables[np.arange(len(said)), answers.labels, said] = 1
    confidence, asserted, unknown = cross_fitted(answers, domain)
    right, names = said == answers.labels, groups.astype(str).tolist()
    sure = [name for name, is_sure in zip(names, asserted, strict=True) if is_sure]
    return OutOfFold(
        by=by,
        start=start,
        clips=len(said),
        groups=len(np.unique(groups)),
        folds=len(np.unique(answers.folds)),
        **intervals(tables, groups),
        calibration_error=answer_error(confidence, right),
        chance_error=chance_error(confidence, answers.groups),
        asserted=share(asserted, names),
        asserted_right=share(right[asserted], sure) if sure else None,
        unknown=share(unknown, names),
    )


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
