"""What `POST /analyze` answers of a recording."""

from .answers import Answer, ModelRef


class RecordingInfo(Answer):
    """`warnings`: what a person should know of how it was heard, as of a clip."""

    container: str
    duration_s: float
    sample_rate_hz: int  # as sent
    windows: int
    warnings: tuple[str, ...] = ()


class RecordingEvent(Answer):
    """`confidence` is that of its surest window, whose middle is at `peak_s`."""

    label: str
    start_s: float
    end_s: float
    confidence: float
    peak_s: float


class Analysis(Answer):
    """`thresholds`: from which probability on a window is an event of its label."""

    request_id: str
    domain: str
    model: ModelRef
    recording: RecordingInfo
    window_s: float
    hop_s: float
    thresholds: dict[str, float]
    events: tuple[RecordingEvent, ...]  # in order of time
    labels: dict[str, int]  # how many events have which, the commonest first
    disclaimer: str = ""


class Progress(Answer):
    """`done` is from 0 to 1, null where the recording does not say how long it is."""

    heard_s: float
    done: float | None = None
