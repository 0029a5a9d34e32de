"""What the service answers: one frozen model for each body, and the only description of it.

The routes declare and build them, OpenAPI shows them, the client reads them. What has a default
may be missing. Keys that a newer service adds are ignored, so that an old page or script keeps
working against it. Of runs, versions and the service itself: `service_answers.py`.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema

Mode = Literal["teach", "full"]  # how a retrain goes about it
State = Literal["accepted", "quarantined", "rejected"]
UploadOutcome = Literal["stored", "duplicate", "refused"]  # of an uploaded file
Moment = Annotated[
    datetime,
    PlainSerializer(datetime.isoformat, when_used="json"),  # +00:00, where pydantic writes Z
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


class Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)


class Problem(Answer):
    """What is wrong, by RFC 9457; `detail` may be shown to a person."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str


class Limits(Answer):
    max_bytes: int
    max_duration_s: float = 0.0
    max_recording_bytes: int = 0  # of what is analysed
    max_recording_s: float = 0.0
    max_pixels: int = 0


class DomainInfo(Answer):
    name: str
    title: str
    description: str
    disclaimer: str = ""
    labels: tuple[str, ...]
    modality: Literal["audio", "image"] = "audio"
    task: Literal["classify", "segment"] = "classify"
    prefix: str = ""  # of its routes
    sample_rate_hz: int = 0
    window_s: float = 0.0
    limits: Limits
    live: bool = False  # whether its file says how live sound is heard
    keeps_predictions: bool = False
    history: bool = True  # whether a page may list what was asked on it
    examples: tuple[str, ...] = ()  # sounds that a page makes to be tried, by name


class Domains(Answer):
    domains: tuple[DomainInfo, ...]


class ModelRef(Answer):
    version: str
    digest: str


class ClipInfo(Answer):
    """Of a recording its duration and rate, of a photograph its sides; upright, and as sent.
    `warnings` are sentences for a person: that it is cut off, or which of its tracks was heard."""

    container: str
    duration_s: float = 0.0
    sample_rate_hz: int = 0
    windows: int = 1
    level_dbfs: float | None = None  # root mean square of the loudest window
    width_px: int = 0
    height_px: int = 0
    warnings: tuple[str, ...] = ()


class Measure(Answer):
    """What was found in a photograph, in its own pixels; the width is area over length."""

    area_percent: float
    length_px: float
    mean_width_px: float


class RunLengths(Answer):
    """A mask as COCO counts it: pixels outside, inside, outside, ... column by column."""

    size: tuple[int, int]  # height, width
    counts: tuple[int, ...]


class MaskEvidence(Answer):
    """Where in a photograph it is: white in `mask_png` (base64), which is of the same size."""

    mask_png: str
    mask_rle: RunLengths


class Evidence(Answer):
    """`scores[t][c]` is the probability of `labels[c]` in the frame that begins at `start_s[t]`."""

    labels: tuple[str, ...]
    start_s: tuple[float, ...]
    step_s: float
    scores: tuple[tuple[float, ...], ...]


class Prediction(Answer):
    """`unknown`: too quiet, or unlike anything the model has learnt, as `unknown_reason` says;
    `label` is then only the nearest.
    `asserted`: known, and as sure as answers of this label have to be to be right nine times in
    ten; null from models made before that was found out. Photographs: always false and null."""

    request_id: str
    domain: str
    label: str
    confidence: float
    unknown: bool
    unknown_reason: str | None = None
    asserted: bool | None = None
    probabilities: dict[str, float]
    model: ModelRef
    clip: ClipInfo
    evidence: Evidence | MaskEvidence | None = None
    measure: Measure | None = None
    timings_ms: dict[str, float]
    disclaimer: str = ""


class OneOfMany(Prediction):
    file: str | None  # as the form names it


class Failed(Answer):
    file: str | None
    error: Problem


class Aggregate(Answer):
    clips: int
    failed: int
    labels: dict[str, int]  # how many clips got which, the commonest first
    mean_confidence: float | None


class Batch(Answer):
    """A result or an error for each clip of a form, in order."""

    domain: str
    results: tuple[OneOfMany | Failed, ...]
    aggregate: Aggregate


class PredictionSummary(Answer):
    """What one version says about the clip of a correction."""

    label: str
    confidence: float
    version: str | None = None


class Receipt(Answer):
    """A correction and what became of it; `version` is the one that learnt it, `predicted` and
    `confidence` are what was answered before. `label` is "" of a photograph that waits for its
    mask. `warnings` are of the clip, as of any other, and told when it is sent."""

    receipt: str
    state: State
    reason: str = ""
    domain: str
    clip: str  # its sha256
    label: str
    predicted: str
    confidence: float
    mask: str | None = None
    who: str = ""
    created: Moment
    before: PredictionSummary
    snapshot: str | None = None
    version: str | None = None
    after: PredictionSummary | None = None
    warnings: tuple[str, ...] = ()
    note: str = ""  # of a correction that was heard and is not yet answered as it says


class Receipts(Answer):
    feedback: tuple[Receipt, ...]


class Uploaded(Answer):
    file: str | None
    outcome: UploadOutcome
    clip: str  # its sha256; empty of a file that was not tried
    label: str | None
    reason: str
    warnings: tuple[str, ...] = ()  # as of `ClipInfo`


class Uploads(Answer):
    domain: str
    results: tuple[Uploaded, ...]
    counts: dict[UploadOutcome, int]


class ClipFlag(Answer):
    """What a check has to say of a clip: its kind, and the sentence for people."""

    kind: str
    reason: str
    score: float


class KeptClip(Answer):
    clip: str  # its sha256
    label: str | None = None
    mask: str | None = None  # the sha256 of where in a photograph that is true
    group: str | None = None  # what stays on one side of a split
    split: str | None = None  # what whoever imported it wanted it for
    state: State
    reason: str = ""
    who: str = ""
    source: str = ""
    duration_s: float = 0.0
    sample_rate_hz: int = 0
    created: Moment
    flags: tuple[ClipFlag, ...] = ()
    waiting: tuple[Receipt, ...] = ()  # corrections of it that nobody has decided upon
    model: PredictionSummary | None = None  # what the model that serves says of it, where known
    may_forget: bool = False  # whether whoever asks may have it deleted


class Clips(Answer):
    domain: str
    clips: tuple[KeptClip, ...]


class Forgotten(Answer):
    """A clip that is gone, and the versions that still remember it."""

    clip: str
    versions: tuple[str, ...]
    message: str
