"""What the service answers of runs, versions and itself; the rest is in `answers.py`."""

from typing import Any, Literal

from .answers import Answer, Mode, Moment, Problem
from .past_answers import Rates

RunState = Literal["queued", "running", "succeeded", "failed", "cancelled"]
Readiness = Literal["warm", "no model yet", "no replica"]


class RunResult(Answer):
    version: str | None = None
    digest: str | None = None
    promoted: bool = False
    reasons: tuple[str, ...] = ()
    champion: dict[str, float | None] | None = None
    challenger: dict[str, float | None] | None = None
    seconds: dict[str, float] = {}
    pull: float | None = None  # towards the head of the last full training, of what was taught
    unseen_loss: dict[str, float] = {}  # by pull, of corrections left out
    dry_run: tuple[str, ...] = ()  # what would be learnt from, in lines for people
    held_back: tuple[str, ...] = ()  # clips that wait for review, for the others to be learnt
    message: str = ""


class Run(Answer):
    id: str
    domain: str
    mode: Mode
    state: RunState
    reason: str = ""
    trigger: str = ""  # person, command, new_clips, every_h, schedule or forgetting
    options: dict[str, Any] = {}  # what it does otherwise than its domain says
    who: str = ""
    created: Moment
    finished: Moment | None = None
    result: RunResult | None = None


class LastRun(Answer):
    """The one that ended last; dry runs change nothing and are none."""

    id: str
    mode: Mode
    trigger: str
    reason: str
    state: RunState
    finished: Moment


class RunEvent(Answer):
    """One line of a run's progress; `detail` depends on `kind` (queued, step, epoch, ...)."""

    id: int
    at: Moment
    kind: str
    detail: dict[str, Any] = {}


class FollowedRun(Run):
    events: tuple[RunEvent, ...]


class Runs(Answer):
    runs: tuple[Run, ...]


class ModelVersion(Answer):
    version: str
    digest: str
    aliases: tuple[str, ...] = ()
    created: Moment
    mode: str
    parent: str | None = None
    snapshot: str | None = None
    metrics: dict[str, float | None] = {}
    verdict: str
    reasons: tuple[str, ...] = ()


class Versions(Answer):
    domain: str
    versions: tuple[ModelVersion, ...]


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


class ModelInfo(Answer):
    """What answers; `card` is the model's own `card.json` (`models/card.py`)."""

    domain: str
    version: str
    digest: str
    card: dict[str, Any]


class Health(Answer):
    """Of one replica; `mean_ms` is the mean time of an answer, null before the first. From
    `uptime_seconds` on what clients of earlier systems read; their times are seconds."""

    status: Literal["ok"]
    node: str
    uptime_s: float
    predictions: int
    rejected: int
    corrections: int
    mean_ms: float | None
    uptime_seconds: float = 0.0
    model_available: bool = True
    total_predictions: int = 0
    avg_processing_time: float = 0.0


class Ready(Answer):
    """`yours` only where a start asked with its token."""

    status: Literal["ready"]
    domains: dict[str, Readiness]
    warnings: tuple[str, ...]
    yours: bool | None = None


class Unready(Problem):
    domains: dict[str, Readiness]
    warnings: tuple[str, ...]
    yours: bool | None = None


class Sample(Answer):
    labels: dict[str, str]
    value: float | None  # null for what is no number


class Series(Answer):
    """What Prometheus reads from the same address, by name; and of each domain the `traffic` of the
    last 1, 5 and 60 minutes ("1m", "5m", "60m")."""

    at: float
    series: dict[str, tuple[Sample, ...]]
    traffic: dict[str, dict[str, Rates]] = {}


class ReplicaInfo(Answer):
    """What a replica of one domain tells of itself. Of replicas that domains share, those of the
    first domain tell the process's `cpu_s` and `rss_mb`; for the others they are null."""

    replica: str
    node: str = ""
    version: str | None = None
    digest: str | None = None
    load_error: str | None = None
    pid: int
    swaps: int = 0
    last_swap_s: float | None = None
    uptime_s: float = 0.0
    queued: int = 0
    answered: int = 0
    batches: int = 0
    busy_s: float = 0.0
    cpu_s: float | None = None
    rss_mb: int | None = None


class DomainStatus(Answer):
    title: str
    champion: ModelVersion | None = None
    pinned: bool = False  # by TELLTALE_MODEL_VERSION: no promotion changes what serves
    serves_since: Moment | None = None  # the champion, also where it came back
    error: str | None = None  # what the curator could not look after
    replicas: tuple[ReplicaInfo, ...] = ()
    states: dict[str, int] = {}
    agree: bool
    clips: dict[str, int] = {}
    running: tuple[Run, ...] = ()
    last_run: LastRun | None = None
    waits: str | None = None


class Status(Answer):
    domains: dict[str, DomainStatus]
    curator: Literal["ok", "away"]
    curator_pid: int | None = None
    uptime_s: float
    warnings: tuple[str, ...] = ()
