"""What the users got, second by second: Locust's process writes it, the reporting one reads it.

One JSON object a line, so that what was recorded before an end by force can still be read. Every
latency is kept, not a summary of them: percentiles over any stretch of time are then exact.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loadtest.client.clip import REFUSED


@dataclass(frozen=True)
class Second:
    """From `at` (seconds since the epoch) for about one; `latencies_ms` of what was answered."""

    at: float
    lasted_s: float
    users: int
    latencies_ms: tuple[float, ...]
    refused: int
    failed: int
    causes: dict[str, int]

    def as_line(self) -> str:
        return json.dumps(
            {
                "at": round(self.at, 3),
                "lasted": round(self.lasted_s, 3),
                "users": self.users,
                "ms": self.latencies_ms,
                "refused": self.refused,
                "failed": self.failed,
                "causes": self.causes,
            }
        )


@dataclass(frozen=True)
class Begun:
    """A step in the load: from `at` on, `users` are wanted."""

    at: float
    users: int

    def as_line(self) -> str:
        return json.dumps({"at": round(self.at, 3), "step": self.users})


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
        return Second(at, lasted_s, users, tuple(latencies), refused, causes.total(), dict(causes))


@dataclass(frozen=True)
class Record:
    seconds: tuple[Second, ...]
    steps: tuple[Begun, ...]


def read_record(path: Path) -> Record:
    seconds: list[Second] = []
    steps: list[Begun] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if "step" in row:
            steps.append(Begun(row["at"], row["step"]))
        else:
            counts = (row["refused"], row["failed"], row["causes"])
            when = (row["at"], row["lasted"], row["users"])
            seconds.append(Second(*when, tuple(row["ms"]), *counts))
    return Record(tuple(seconds), tuple(steps))


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
    latencies = sorted(ms for second in found for ms in second.latencies_ms)
    return Summary(
        seconds=sum(second.lasted_s for second in found),
        answered=len(latencies),
        refused=sum(second.refused for second in found),
        failed=sum(second.failed for second in found),
        p50_ms=percentile(latencies, 50),
        p95_ms=percentile(latencies, 95),
        p99_ms=percentile(latencies, 99),
    )


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """Nearest rank: an answer that somebody really got."""
    if not ordered:
        return None
    return ordered[max(0, -(-len(ordered) * round(share) // 100) - 1)]
