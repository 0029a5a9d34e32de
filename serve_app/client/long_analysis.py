"""What both clients do with a recording that takes longer than a connection holds.

It is sent in parts, from where the service has it after each trouble, and then looked at until its
job has ended.
"""

import io
from dataclasses import dataclass
from typing import Any, BinaryIO

from .analysis_answers import Analysis, AnalysisJob
from .call import Call
from .calls.jobs import cancel_job, delete_upload, send_part
from .connection import ServiceError, backoff_s

PART_BYTES = 8 * 1024**2
TROUBLES = 8  # one behind another, without a byte between them
PASSING = (0, 408, 409, 429, 500, 502, 503, 504)  # 409: a part came, and its answer was lost
LOOK_AGAIN_S = 0.5
OPEN = ("queued", "running")


@dataclass
class Parts:
    """Of a file, from where it stands, for the upload of this id."""

    domain: str
    recording: BinaryIO
    upload: str = ""
    came: int = 0
    troubles: int = 0

    def __post_init__(self) -> None:
        self._start = self.recording.tell()
        self.length = self.recording.seek(0, io.SEEK_END) - self._start

    @property
    def are_left(self) -> bool:
        return self.came < self.length

    def next(self) -> Call[int]:
        self.recording.seek(self._start + self.came)
        part = self.recording.read(PART_BYTES)
        return send_part(self.domain, self.upload, self.came, part)

    def take(self, came: int) -> None:
        """Of bytes, by what the service says; raises ServiceError where it takes no more."""
        if self.resume(came):
            return
        self.troubles += 1
        if self.troubles >= TROUBLES:
            raise ServiceError(f"of {self.length:,} bytes only {came:,} are taken")

    def resume(self, came: int) -> bool:
        """From where the service has it, after a loss; whether that is farther than before."""
        farther = came > self.came
        if farther:
            self.came, self.troubles = came, 0
        return farther

    def lose(self, error: ServiceError) -> float:
        """How long until it is asked how far it came; raises what does not pass."""
        self.troubles += 1
        if error.status not in PASSING or self.troubles >= TROUBLES:
            raise error
        return error.retry_after_s or backoff_s(self.troubles)


def withdrawing(domain: str, recording: str) -> tuple[Call[Any], ...]:
    """Of an upload, or of the job of the same id that has been ordered of it: the first that
    succeeds."""
    return cancel_job(domain, recording), delete_upload(domain, recording)


def found(job: AnalysisJob) -> Analysis:
    """By one that has ended; raises ServiceError where it found nothing."""
    if job.result is not None:
        return job.result
    if job.problem is None:
        raise ServiceError("the analysis was cancelled; order it again", 409)
    raise ServiceError(job.problem.detail, job.problem.status, job.problem.request_id)
