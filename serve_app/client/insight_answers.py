"""What `GET /insights` answers: numbers to be drawn, and a sentence for each subject."""

from typing import Any

from .answers import Answer, Moment, State
from .service_answers import ModelVersion


class KeptClips(Answer):
    """Clips in the store; "" is the label or split of those that have none. Weeks are ISO 8601's
    (2026-W48), each with the labels of the clips that came in it."""

    clips: int
    by_label: dict[str, dict[State, int]]
    by_split: dict[str, int]
    by_source: dict[str, int]
    by_week: dict[str, dict[str, int]]
    sentence: str


class WaitingClips(Answer):
    """By label the accepted clips that the next training learns, or learns anew."""

    by_label: dict[str, int]
    sentence: str


class LearntClips(Answer):
    """What the serving version remembers by label, and how its data were split."""

    by_label: dict[str, int]
    train: int
    validation: int
    exam: int


class LabelFigures(Answer):
    precision: float
    recall: float
    f1: float
    support: int  # clips of the exam


class ConfidenceBin(Answer):
    """Answers of about the same confidence: how many, how sure in the mean, how often right."""

    count: int
    confidence: float
    accuracy: float


class Interval(Answer):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


class EachGroupOnce(Answer):
    """The same where a recording that was cut into thirty clips counts once."""

    accuracy: float
    macro_f1: float
    asserted: float | None
    asserted_right: float | None
    unknown: float


class FoldFigures(Answer):
    """Of models of folds, trained by the recipe of the last full training, on clips that they had
    not learnt: closer to what a stranger's clip will meet than one exam. `asserted_right` is of the
    asserted ones; once reviews have set the limits, neither is told."""

    by: str
    start: str | None = None  # the backbone that those models began with
    clips: int
    groups: int
    folds: int
    accuracy: Interval
    macro_f1: Interval
    calibration_error: float
    chance_error: float  # what a model that is right as often as it is sure shows in the mean
    asserted: Interval | None
    asserted_right: Interval | None
    unknown: Interval
    each_group_once: EachGroupOnce
    sentence: str


class ExamFigures(Answer):
    """Of the serving version. `confusion` has a row for each right label and a column for each
    answer, in the order of `per_class`; of photographs it counts remembered pixels, and `masks` is
    how well whole masks agree."""

    accuracy: float
    macro_f1: float
    per_class: dict[str, LabelFigures]
    confusion: tuple[tuple[int, ...], ...]
    ece: float
    reliability: tuple[ConfidenceBin, ...]
    masks: dict[str, Any] | None = None
    out_of_fold: FoldFigures | None = None
    sentence: str


class RunCurve(Answer):
    """The figures of a full retrain's epochs, in order."""

    run: str
    created: Moment
    epochs: tuple[dict[str, float], ...]


class FeatureMeans(Answer):
    """The mean frame of each label's clips: `log_mel` in the bins of `mel_hz`, natural logarithms
    of power, and its MFCCs; a sentence says how a label differs from the others."""

    mel_hz: tuple[float, ...]
    log_mel: dict[str, tuple[float, ...]]
    mfcc: dict[str, tuple[float, ...]]
    sentences: dict[str, str]


class Insights(Answer):
    """`features` is null of a version whose training did not note them; `versions` is empty while
    the curator is away."""

    domain: str
    version: str
    digest: str
    kept: KeptClips
    waiting: WaitingClips
    learnt: LearntClips
    exam: ExamFigures
    runs: tuple[RunCurve, ...]
    versions: tuple[ModelVersion, ...]
    features: FeatureMeans | None = None
