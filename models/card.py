"""The card of a bundle: what the model is, what it learnt from and how well it did.

It is the bundle's only text file and names the digest of every other one, so the digest of
the card stands for the whole content. A card holds the domain as it was when the model was
trained: a bundle can be served from its own folder alone.
"""

import json
import math
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from data.domains.domain import MODALITIES, AnyDomain
from data.domains.yaml_errors import KINDS
from data.errors import BundleError
from models.metrics import Interval, Metrics, Segmentation

FORMAT: Literal[1] = 1
CARD = "card.json"
BACKBONE = "backbone.onnx"
HEAD = "head.safetensors"
WEIGHTS = "weights.safetensors"
MEMORY = "memory.safetensors"
EXAM = "exam.safetensors"
ANCHOR = "anchor.safetensors"
FINGERPRINTS = "fingerprints.safetensors"
OTHERS = "others.safetensors"
OUT_OF_FOLD = "out_of_fold.safetensors"

REQUIRED = (BACKBONE, HEAD, MEMORY, EXAM)
# The weights only to go on training, or to serve on a GPU; the anchor of what was taught: the head
# of the last full training, which every further teach starts from again; what knows copies of
# the exam's clips; the embeddings of sounds that no label is for; and what models of folds said.
OPTIONAL = (WEIGHTS, ANCHOR, FINGERPRINTS, OTHERS, OUT_OF_FOLD)

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Facts(BaseModel):
    """Open for more: what is worth noting differs between networks and ways of training."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)


class NetworkFacts(Facts):
    kind: str
    parameters: int = Field(ge=0)


class OtherSounds(Facts):
    """What a bundle remembers that no label is for: how many embeddings are of sounds that were
    made, how many of clips, and the licences of the data sets that those are from."""

    made: int = Field(ge=0)
    clips: int = Field(ge=0)
    licences: dict[str, str]


class TrainingFacts(Facts):
    seconds: float = Field(ge=0)
    epochs: int = Field(ge=0)
    workers: int = Field(ge=1)
    backbone: dict[str, str] | None = None  # what it started from: name, sha256, licence
    log_mel_means: dict[str, list[float]] | None = None  # label -> its mean log-mel frame
    other_sounds: OtherSounds | None = None


class Split(Part):
    train: int = Field(ge=0)
    validation: int = Field(ge=0)
    exam: int = Field(ge=1)


class EachGroupOnce(Part):
    """The same figures where a recording that was cut into thirty clips counts once: what the next
    recording may expect."""

    accuracy: float
    macro_f1: float
    asserted: float | None
    asserted_right: float | None
    unknown: float


class OutOfFold(Part):
    """Of clips that models of folds, trained by the same recipe, were asked and had not learnt.

    What decides how sure they are was fitted for each fold on the answers in the others. Intervals
    are by bootstrap over groups; `by` says how the clips were dealt out. A model that is right
    exactly as often as it is sure shows `chance_error` in the mean. `asserted_right` is of those
    that were asserted, None where none was; both are None once people's reviews set the limits.
    """

    by: str
    start: str | None = None  # the backbone that those models began with
    clips: int = Field(ge=1)
    groups: int = Field(ge=1)
    folds: int = Field(ge=2)
    accuracy: Interval
    macro_f1: Interval
    calibration_error: float = Field(ge=0)
    chance_error: float = Field(ge=0)
    asserted: Interval | None
    asserted_right: Interval | None
    unknown: Interval
    each_group_once: EachGroupOnce


class Figures(Part):
    """`masks` where the task is to segment: `exam` then tells of the remembered pixels only."""

    exam: Metrics
    masks: Segmentation | None = None
    out_of_fold: OutOfFold | None = None


class Novelty(Part):
    """A clip farther than its label's limit from every remembered clip of that label is unknown
    (`models/novelty.py`), and so is one that is nearer to a sound that no label is for than
    `nearest_other` times that distance. `false_alarms` is the share that either calls unknown of
    the `clips` that it was fitted on, validation clips or those of folds, each group once."""

    limits: dict[str, Annotated[float, Field(ge=0)]]
    nearest_other: float = Field(0.0, ge=0)
    false_alarms: float = Field(ge=0, le=1)
    clips: int = Field(ge=1)


class Card(Part):
    """`unknown_threshold`, a confidence, is of cards made before there was `novelty`; 0 is never.
    `assert_at` is the confidence from which on an answer of a label is asserted, None is never
    (`fit_assertions` in `models/calibration.py`); older cards have none."""

    format: Literal[1] = FORMAT
    domain: AnyDomain
    labels: tuple[str, ...]
    network: NetworkFacts
    temperature: float = Field(gt=0)
    unknown_threshold: float = Field(0.0, ge=0, le=1)
    novelty: Novelty | None = None
    assert_at: dict[str, float | None] = {}
    metrics: Figures
    split: Split
    snapshot: str
    parent: Digest | None
    mode: Literal["full", "teach"]
    licence: str
    code_version: str
    created: AwareDatetime
    training: TrainingFacts
    files: dict[str, Digest]

    @property
    def least_confidences(self) -> list[float]:
        """By label, from which on an answer is asserted; infinite where it never is."""
        found = (self.assert_at.get(label) for label in self.labels)
        return [math.inf if least is None else least for least in found]

    @model_validator(mode="after")
    def parts_fit_together(self) -> Self:
        if self.labels != self.domain.labels:
            raise ValueError(
                f"labels are {list(self.labels)}, its domain has {list(self.domain.labels)}"
            )
        exam, classes = self.metrics.exam, len(self.labels)
        if set(exam.per_class) != set(self.labels):
            raise ValueError(f"metrics are for {sorted(exam.per_class)}, not for the labels")
        if self.novelty and set(self.novelty.limits) != set(self.labels):
            raise ValueError(
                f"novelty.limits are for {sorted(self.novelty.limits)}, not the labels"
            )
        if self.assert_at and set(self.assert_at) != set(self.labels):
            raise ValueError(f"assert_at is for {sorted(self.assert_at)}, not for the labels")
        if [len(row) for row in exam.confusion] != [classes] * classes:
            raise ValueError(f"the confusion table is not {classes} by {classes}")
        if bool(self.metrics.out_of_fold) != (OUT_OF_FOLD in self.files):
            raise ValueError(f"metrics.out_of_fold and {OUT_OF_FOLD} go together")
        if missing := [name for name in REQUIRED if name not in self.files]:
            raise ValueError(f"files does not list {', '.join(missing)}")
        # A closed list also keeps a foreign card from naming a file outside its folder.
        if foreign := sorted(set(self.files) - {*REQUIRED, *OPTIONAL}):
            raise ValueError(f"files lists {', '.join(foreign)}, which no bundle has")
        return self


def write_card(card: Card) -> bytes:
    return card.model_dump_json(indent=2).encode() + b"\n"


def read_card(raw: bytes) -> Card:
    """Raises BundleError in words."""
    try:
        facts = json.loads(raw)
    except ValueError as error:
        raise BundleError(f"{CARD} is not valid JSON; it was cut short or damaged") from error
    seen = facts.get("format") if isinstance(facts, dict) else None
    if seen != FORMAT:
        raise BundleError(f"{CARD} has format {seen!r}; this version understands format {FORMAT}")
    try:
        return Card.model_validate_json(raw)
    except ValidationError as error:
        raise BundleError(f"{CARD} is wrong: {card_mistakes(error)}") from error


def card_mistakes(error: ValidationError) -> str:
    return "; ".join(_mistake(item["loc"], item["msg"]) for item in error.errors())


def _mistake(loc: tuple[int | str, ...], message: str) -> str:
    # Pydantic also names the kind of section it took this one for; the file has no such key.
    key = ".".join(str(part) for part in loc if part not in {*MODALITIES, *KINDS})
    return f"{key} {message.removeprefix('Value error, ')}".strip()
