"""The parts of a model card on how far answers may be trusted: confidence, unknown, asserted."""

import math
from collections.abc import Sequence

from models.bundle import Bundle
from models.metrics import ECE_BINS
from models.runtime import OnnxModel
from training.assess.background import BackgroundAnswers, ask_backgrounds
from training.assess.card.markdown import Lines, number, percent, table
from training.assess.reliability import ForeignClips, exam_chance_error, reliability

NEVER_UNKNOWN = {  # by task, and why
    "segment": "No photograph is called unknown: a pixel that is nothing in particular is part of "
    "the ground, which is an answer. Nor is any asserted: how much of a mask is right cannot be "
    "said of the photograph as a whole.",
}


def confidence(bundle: Bundle) -> Lines:
    exam = bundle.card.metrics.exam
    said = (
        f"Calibration error {number(exam.ece)} (ECE, {ECE_BINS} bins) at temperature "
        f"{bundle.card.temperature:.3f}, fitted on {_fitted_on(bundle)}."
    )
    if exam.reliability:
        said += (
            " A model that is right exactly as often as it is sure would show "
            f"{number(exam_chance_error(bundle))} in the mean, by chance, on as many groups."
        )
    plot = f"![Reliability]({bundle.domain.name}-reliability.png)"
    return ["## Confidence", "", said, "", plot, ""]


def unknown(bundle: Bundle, model: OnnxModel, strangers: Sequence[ForeignClips]) -> Lines:
    if why := NEVER_UNKNOWN.get(bundle.domain.task):
        return ["## Unknown, and asserted", "", why, ""]
    novelty, found = bundle.card.novelty, reliability(model, bundle.exam())
    if novelty is None or found is None:
        return []
    nothing = ask_backgrounds(model)
    assert nothing is not None  # what has novelty hears
    background = f"silence, hiss, rumble and hum ({nothing.clips})"
    rows = [
        (f"{_fitted_on(bundle)} ({novelty.clips})", percent(_false_alarms_of_known(bundle))),
        ("exam clips", percent(found.unknown)),
        *((f"{each.dataset} ({each.clips} clips)", percent(each.unknown)) for each in strangers),
        (background, percent(nothing.unknown / nothing.clips)),
    ]
    others = f", and {percent(found.unsure_right)} of the others"
    unsure = "" if math.isnan(found.unsure_right) else others
    return [
        "## Unknown, and asserted",
        "",
        "A clip is unknown when it lies farther from all remembered clips of the label it is "
        f"answered with than {_fitted_on(bundle)} do, or nearer to a sound that no label is for. "
        "Clips of other data sets should be:",
        "",
        *table(("clips of", "called unknown"), rows),
        "An answer is asserted when the clip is known and the answer as sure as answers of its "
        f"label have to be {_asserted_by(bundle)}. Of the exam "
        f"{percent(found.asserted)} are; {percent(found.sure_right)} of them are right{unsure}. "
        f"{_false_alarms(nothing)}",
        "",
    ]


def _false_alarms(nothing: BackgroundAnswers) -> str:
    """With what so little sound can rule out: none of a minute is not none of an hour."""
    return (
        f"While nothing happens {len(nothing.asserted)} of {nothing.clips} clips are, in "
        f"{3600 * nothing.hours:.0f} s: {nothing.asserted_per_hour:.0f} an hour, and with 95 % "
        f"confidence at most {nothing.most_per_hour:.0f}."
    )


def _asserted_by(bundle: Bundle) -> str:
    """See `training/assess/calibration/reviewed_thresholds.py`."""
    reviewed = bundle.card.training.model_dump().get("asserted_by_reviews")
    if reviewed is None:
        return f"for a chance of four in five that it is right, by {_fitted_on(bundle)}"
    return (
        f"to be right in {percent(reviewed['precision'])} of {reviewed['answers']} reviewed ones, "
        f"or on {_fitted_on(bundle)} where too few were reviewed"
    )


def _false_alarms_of_known(bundle: Bundle) -> float:
    """Of clips out of fold by limits that they had no part in."""
    novelty, folds = bundle.card.novelty, bundle.card.metrics.out_of_fold
    assert novelty is not None
    return folds.unknown.value if folds else novelty.false_alarms


def _fitted_on(bundle: Bundle) -> str:
    return "clips out of fold" if bundle.card.metrics.out_of_fold else "validation clips"
