"""What the users got, request by request: Locust's process writes it (`steps.py`), this reads it.

One JSON object a line, so that what was recorded before an end by force can still be read. Every
latency is kept, not a summary of them: percentiles over any stretch of time are then exact.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Answer(NamedTuple):
    """At `at` (seconds since the epoch), to a request that took `ms`; `cause`: why it failed."""

    at: float
    ms: float
    refused: bool = False
    cause: str = ""


class Users(NamedTuple):
    at: float
    users: int


@dataclass(frozen=True)
class Record:
    """`there` are the users that there were, looked at once a second; `steps`, those wanted from
    then on. The first step begins it and the last look ends it."""

    answers: Sequence[Answer]
    there: Sequence[Users]
    steps: Sequence[Users]


def read_record(path: Path) -> Record:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return Record(
        [Answer(**line) for line in lines if "ms" in line],
        [Users(line["at"], line["there"]) for line in lines if "there" in line],
        [Users(line["at"], line["wanted"]) for line in lines if "wanted" in line],
    )


@dataclass(frozen=True)
class Summary:
    """A stretch of time in figures; a percentile is None where nothing was answered."""

    req_s: float
    answered: int
    refused: int
    failed: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


def summarise(record: Record, since: float, until: float) -> Summary:
    """Of what was answered from `since` on, before `until`."""
    found = [one for one in record.answers if since <= one.at < until]
    latencies = [one.ms for one in found if not one.refused and not one.cause]
    failed = sum(bool(one.cause) for one in found)
    refused = len(found) - len(latencies) - failed
    rate = round(len(latencies) / (until - since), 1)
    return Summary(rate, len(latencies), refused, failed, *percentiles(latencies))


def percentiles(values: Sequence[float]) -> Sequence[float | None]:
    """The 50th, 95th and 99th by nearest rank: answers that somebody really got. None where there
    are no values."""
    if not values:
        return [None] * 3
    found: list[float] = np.percentile(values, (50, 95, 99), method="inverted_cdf").tolist()
    return found
