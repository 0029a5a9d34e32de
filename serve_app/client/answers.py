"""What the service answers, as a caller reads it: one frozen model for each body.

Only the keys a caller uses are named; keys the service adds later are ignored, so that an
old page or script keeps working against a newer service.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Mode = Literal["teach", "full"]  # how a retrain goes about it
State = Literal["accepted", "quarantined", "rejected"]
RunState = Literal["queued", "running", "succeeded", "failed", "cancelled"]


class Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)


class Limits(Answer):
    max_bytes: int
    max_duration_s: float = 0.0
    max_pixels: int = 0


class DomainInfo(Answer):
    name: str
    title: str
    description: str
    disclaimer: str = ""
    labels: tuple[str, ...]
    modality: Literal["audio", "image"] = "audio"
    limits: Limits
    sample_rate_hz: int = 0
    window_s: float = 0.0


class ModelRef(Answer):
    version: str
    digest: str


class ClipInfo(Answer):
    """Of a recording its duration and rate, of a photograph its sides; upright, and as sent."""

    container: str
    duration_s: float = 0.0
    sample_rate_hz: int = 0
    windows: int = 1
    width_px: int = 0
    height_px: int = 0


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
    """`unknown`: unlike anything the model has learnt; `label` is then only the nearest.
    `asserted`: known, and as sure as answers of this label have to be to be right nine times in
    ten; null from models made before that was found out. Photographs: always false and null."""

    request_id: str
    domain: str
    label: str
    confidence: float
    unknown: bool
    asserted: bool | None = None
    probabilities: dict[str, float]
    model: ModelRef
    clip: ClipInfo
    evidence: Evidence | MaskEvidence | None = None
    measure: Measure | None = None
    timings_ms: dict[str, float]
    disclaimer: str = ""


class Receipt(Answer):
    receipt: str
    state: State
    reason: str = ""
    domain: str
    clip: str
    label: str
    mask: str | None = None
    predicted: str
    confidence: float
    version: str | None = None


class Seen(Answer):
    """What one version says about the clip of a correction."""

    label: str
    confidence: float
    version: str | None = None


class LifeLine(Answer):
    receipt: str
    state: State
    reason: str = ""
    domain: str
    clip: str
    label: str
    created: datetime
    before: Seen
    snapshot: str | None = None
    version: str | None = None
    after: Seen | None = None


class RunResult(Answer):
    version: str | None = None
    digest: str | None = None
    promoted: bool = False
    reasons: tuple[str, ...] = ()
    champion: dict[str, float | None] | None = None
    challenger: dict[str, float | None] | None = None
    seconds: dict[str, float] = {}
    message: str = ""


class Run(Answer):
    id: str
    domain: str
    mode: Mode
    state: RunState
    reason: str = ""
    who: str = ""
    created: datetime
    finished: datetime | None = None
    result: RunResult | None = None


class RunEvent(Answer):
    """One line of a run's progress; `detail` depends on `kind` (queued, step, epoch, ...)."""

    id: int
    at: datetime
    kind: str
    detail: dict[str, Any] = {}


class ModelVersion(Answer):
    version: str
    digest: str
    aliases: tuple[str, ...] = ()
    created: datetime
    mode: str
    parent: str | None = None
    snapshot: str | None = None
    metrics: dict[str, float | None] = {}
    verdict: str
    reasons: tuple[str, ...] = ()


class Move(Answer):
    """A change of champion, once the replicas have been told."""

    domain: str
    version: str
    digest: str
    replicas: int
    agree: bool
    seconds: float
    warning: str | None = None  # of a version that remembers what it should have forgotten


class Purged(Answer):
    """Versions that were removed, and those that could not be looked into."""

    domain: str
    purged: tuple[str, ...]
    unread: tuple[str, ...] = ()


class Champion(Answer):
    version: str
    digest: str
    created: datetime | None = None


class ReplicaInfo(Answer):
    replica: str
    node: str = ""
    version: str | None = None
    digest: str | None = None
    load_error: str | None = None
    pid: int
    swaps: int = 0
    last_swap_s: float | None = None
    queued: int = 0
    answered: int = 0
    batches: int = 0
    busy_s: float = 0.0
    cpu_s: float = 0.0
    rss_mb: int = 0


class DomainStatus(Answer):
    title: str
    champion: Champion | None = None
    replicas: tuple[ReplicaInfo, ...] = ()
    states: dict[str, int] = {}
    agree: bool
    clips: dict[str, int] = {}
    running: tuple[Run, ...] = ()
    waits: str | None = None


class Status(Answer):
    domains: dict[str, DomainStatus]
    curator: str
    uptime_s: float
    warnings: tuple[str, ...] = ()


class Domains(Answer):
    domains: tuple[DomainInfo, ...]


class Runs(Answer):
    runs: tuple[Run, ...]


class Versions(Answer):
    versions: tuple[ModelVersion, ...]


class ClipFlag(Answer):
    """What a check has to say of a clip: its kind, and the sentence for people."""

    kind: str
    reason: str


class KeptClip(Answer):
    clip: str  # its sha256
    label: str | None = None
    mask: str | None = None  # the sha256 of where in a photograph that is true
    state: State
    reason: str = ""
    who: str = ""
    source: str = ""
    duration_s: float = 0.0
    created: datetime
    flags: tuple[ClipFlag, ...] = ()
    waiting: tuple[Receipt, ...] = ()  # corrections of it that nobody has decided upon


class Clips(Answer):
    clips: tuple[KeptClip, ...]
