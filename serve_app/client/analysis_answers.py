"""What `POST /analyze` answers of a recording, and what `WS /stream` says of live sound."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .answers import Answer, ModelRef, Moment, Problem

StreamFormat = Literal["pcm16", "opus"]
TableFormat = Literal["csv", "raven", "audacity", "parquet"]  # of events


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
    """`thresholds`: from which probability on a window is sure to be an event of its label."""

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


class RecordingUpload(Answer):
    """A recording that comes in parts: `came` of its `length` bytes. It is forgotten at the moment
    it `expires`, unless another part comes."""

    id: str
    length: int
    came: int
    expires: Moment
    note: str = ""  # the sender's Upload-Metadata


class OwnUploads(Answer):
    domain: str
    uploads: tuple[RecordingUpload, ...]


JobState = Literal["queued", "running", "succeeded", "failed", "cancelled"]


class AnalysisJob(Progress):
    """A recording that is analysed behind the answer. It has a `result` once it has succeeded, a
    `problem` once it has failed; either is forgotten at the moment it `expires`."""

    id: str
    domain: str
    state: JobState
    created: Moment
    expires: Moment | None = None
    result: Analysis | None = None
    problem: Problem | None = None


class StreamStart(BaseModel):
    """A stream's first message. What follows are 16-bit samples of one channel, little-endian, or a
    file of Opus (Ogg, WebM) as it is recorded, cut anywhere, which knows its own rate."""

    model_config = ConfigDict(extra="forbid")

    format: StreamFormat = "pcm16"
    sample_rate_hz: int | None = Field(default=None, ge=4_000, le=96_000)
    key: str = ""

    @model_validator(mode="after")
    def samples_have_a_rate(self) -> Self:
        if self.format == "pcm16" and self.sample_rate_hz is None:
            raise ValueError("pcm16 needs sample_rate_hz")
        return self


class StreamReady(Answer):
    """The answer to it: a window of `window_s` is heard every `hop_s`, or where the service is busy
    at multiples of it. The Python clients tell it again where another replica goes on."""

    type: Literal["ready"] = "ready"
    domain: str
    model: ModelRef
    window_s: float
    hop_s: float
    thresholds: dict[str, float]
    disclaimer: str = ""


class StreamPrediction(Answer):
    """Of the window from `start_s` on; seconds of the sound that was sent. Where the service cannot
    keep up, so many windows were `skipped` before it."""

    type: Literal["prediction"] = "prediction"
    start_s: float
    skipped: int = 0
    label: str
    confidence: float
    unknown: bool
    probabilities: dict[str, float]


class StreamEvent(RecordingEvent):
    """Told when it is long enough to be one, and again when it has `ended`."""

    type: Literal["event"] = "event"
    ended: bool


StreamAnswer = Annotated[StreamReady | StreamPrediction | StreamEvent, Field(discriminator="type")]
