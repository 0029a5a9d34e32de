"""What the users got, second by second: Locust's process writes it, the reporting one reads it.

One JSON object a line, so that what was recorded before an end by force can still be read. Every
latency is kept, not a summary of them: percentiles over any stretch of time are then exact.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from loadtest.client.clip import REFUSED


@dataclass(frozen=True)
class Second:
    """From `at` (seconds since the epoch) for about one; `latencies_ms` of what was answered."""

    at: float
    lasted_s: float
    users: int
    latencies_ms: Sequence[float]
    refused: int
    failed: int
    causes: dict[str, int]


@dataclass(frozen=True)
class Begun:
    """A step in the load: from `at` on, `users` are wanted."""

    at: float
    users: int


def as_line(one: Second | Begun) -> str:
    return f"{json.dumps(vars(one))}\n"


@dataclass
class Tally:
    """What has come in since the last `take`."""

    latencies_ms: list[float] = field(default_factory=list)
    refused: int = 0
    causes: Counter[str] = field(default_factory=Counter)

    def saw(self, name: str, latency_ms: float, error: object) -> None:
        if error is not None:
            self.causes[str(error)[:120]] += 1
        elif name == REFUSED:
            self.refused += 1
        else:
            self.latencies_ms.append(round(latency_ms, 1))

    def take(self, at: float, lasted_s: float, users: int) -> Second:
        latencies, refused, causes = self.latencies_ms, self.refused, self.causes
        self.latencies_ms, self.refused, self.causes = [], 0, Counter()
        when = (round(at, 3), round(lasted_s, 3), users)
        return Second(*when, latencies, refused, causes.total(), dict(causes))


@dataclass(frozen=True)
class Record:
    seconds: tuple[Second, ...]
    steps: tuple[Begun, ...]


def read_record(path: Path) -> Record:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    steps = tuple(Begun(**line) for line in lines if "lasted_s" not in line)
    return Record(tuple(Second(**line) for line in lines if "lasted_s" in line), steps)


@dataclass(frozen=True)
class Summary:
    """A stretch of time in figures; a percentile is None where nothing was answered."""

    seconds: float
    answered: int
    refused: int
    failed: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None

    @property
    def req_s(self) -> float:
        return self.answered / self.seconds if self.seconds else 0.0


def summarise(seconds: Iterable[Second]) -> Summary:
    found = list(seconds)
    latencies = [ms for second in found for ms in second.latencies_ms]
    p50, p95, p99 = percentiles(latencies)
    return Summary(
        seconds=sum(second.lasted_s for second in found),
        answered=len(latencies),
        refused=sum(second.refused for second in found),
        failed=sum(second.failed for second in found),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
    )


def percentiles(values: Sequence[float]) -> list[float] | list[None]:
    """The 50th, 95th and 99th by nearest rank: answers that somebody really got. None where there
    are no values."""
    if not values:
        return [None] * 3
    found: list[float] = np.percentile(values, (50, 95, 99), method="inverted_cdf").tolist()
    return found
