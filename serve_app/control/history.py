"""The last hour of a domain's traffic, from what its replicas have counted since they live.

At each beat of the curator each of them tells its sums (`DomainService.follow`); what they grew by
is added to the step of that moment, and to the counters of /metrics. Kept in memory, an hour in
0.8 MB: a curator that starts anew begins anew.
"""

import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import numpy as np

from data.arrays import Integers
from serve_app.client.past_answers import Window
from serve_app.replica.latencies import ENDS_S, quantile_ms
from serve_app.replica.series import Key, Samples

STEP_S = 5.0
KEPT_S = 3600.0
WINDOWS: dict[Window, tuple[float, float]] = {"5m": (300.0, STEP_S), "1h": (KEPT_S, 60.0)}
LATELY_MIN = (1, 5, 60)
NEW_S = 30.0  # a replica seen for the first time is no older, or it was counted before
GONE_S = 600.0  # for which a replica that does not answer is remembered

Row = Mapping[str, Any]


def _no_answers() -> Integers:
    return np.zeros(len(ENDS_S) + 1, np.int64)


@dataclass
class Step:
    """What was counted in `seconds` since `began` (since the epoch)."""

    began: float
    seconds: float = 0.0
    latencies: Integers = field(default_factory=_no_answers)
    refused: int = 0
    swaps: int = 0
    replicas: int = 0
    versions: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Sums:
    """What one replica had counted at a moment."""

    at: float
    latencies: Integers
    refused: int
    swaps: int
    counted: Samples


NOTHING = Sums(0.0, _no_answers(), 0, 0, {})


class History:
    def __init__(self) -> None:
        self._steps: deque[Step] = deque(maxlen=round(KEPT_S / STEP_S) + 1)
        self._replicas: dict[str, Sums] = {}
        self._noted: float | None = None
        # By all replicas, those that have gone too, of versions that one of them still tells of.
        self.counted: Counter[Key] = Counter()

    def note(self, rows: Sequence[Row], at: float) -> None:
        """`rows` are what the replicas that answer tell of themselves, at a second of the epoch."""
        began = at // STEP_S * STEP_S
        if not self._steps or began > self._steps[-1].began:
            self._steps.append(Step(began))
            self._forget_versions()
        step = self._steps[-1]
        for row in rows:
            self._add(step, row, at)
        step.replicas = len(rows)
        step.versions = Counter(row["version"] for row in rows if row["version"] is not None)
        step.seconds += 0.0 if self._noted is None else max(0.0, at - self._noted)
        self._noted = at
        self._replicas = {
            name: sums for name, sums in self._replicas.items() if at - sums.at < GONE_S
        }

    def _forget_versions(self) -> None:
        told = {key for sums in self._replicas.values() for key in sums.counted}
        for key in [key for key in self.counted if "version" in dict(key[1]) and key not in told]:
            del self.counted[key]

    def points(self, window: Window, until: float | None = None) -> list[dict[str, Any]]:
        """As `Traffic` has them, oldest first, up to now."""
        length_s, width_s = WINDOWS[window]
        since = (time.time() if until is None else until) - length_s
        recent = [step for step in self._steps if step.began >= since and step.seconds]
        parts = groupby(recent, key=lambda step: step.began // width_s)
        return [_point(number * width_s, list(steps)) for number, steps in parts]

    def lately(self, until: float) -> dict[str, dict[str, Any]]:
        """Rates and quantiles of the last 1, 5 and 60 minutes that there are."""
        found = {}
        for minutes in LATELY_MIN:
            since = until - 60 * minutes
            steps = [step for step in self._steps if step.began >= since and step.seconds]
            found[f"{minutes}m"] = _traffic(steps)
        return found

    def _add(self, step: Step, row: Row, at: float) -> None:
        name = str(row["replica"])
        before = self._replicas.get(name)
        found = _sums(row, at, {} if before is None else before.counted)
        if before is None:
            born_here = self._noted is not None and row["uptime_s"] < NEW_S
            before = replace(NOTHING, swaps=found.swaps) if born_here else found
        self._replicas[name] = found
        step.latencies += found.latencies - before.latencies
        step.refused += found.refused - before.refused
        step.swaps += found.swaps - before.swaps
        for key, value in found.counted.items():
            known = before.counted.get(key, 0)
            # Less than before is of a version that was forgotten meanwhile and then asked anew.
            self.counted[key] += value - known if value >= known else value  # type: ignore[assignment]


def _sums(row: Row, at: float, known: Samples) -> Sums:
    """`known` is what was counted before, where a row does not tell it: that is not nothing."""
    latencies = np.array(row["latencies"], np.int64)
    return Sums(at, latencies, row["refused"], row["swaps"], row.get("counted", known))


def _point(began: float, steps: Sequence[Step]) -> dict[str, Any]:
    return {
        "at": datetime.fromtimestamp(began, UTC).isoformat(),
        **_traffic(steps),
        "replicas": steps[-1].replicas,
        "versions": dict(steps[-1].versions),
        "swaps": sum(step.swaps for step in steps),
    }


def _traffic(steps: Sequence[Step]) -> dict[str, Any]:
    seconds = sum(step.seconds for step in steps)
    latencies = sum((step.latencies for step in steps), _no_answers())
    return {
        "seconds": round(seconds, 3),
        "answered_per_s": _rate(int(latencies.sum()), seconds),
        "refused_per_s": _rate(sum(step.refused for step in steps), seconds),
        "p50_ms": quantile_ms(latencies, 0.5),
        "p95_ms": quantile_ms(latencies, 0.95),
        "p99_ms": quantile_ms(latencies, 0.99),
    }


def _rate(count: int, seconds: float) -> float:
    return round(count / seconds, 3) if seconds else 0.0
