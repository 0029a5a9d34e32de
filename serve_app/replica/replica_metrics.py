"""What a replica counts: its part of the series that `series.py` declares."""

from collections import Counter as Tally
from functools import cache
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Histogram

from models.runtime import Scores
from serve_app.replica.latencies import Latencies
from serve_app.replica.series import COUNTED, Key

if TYPE_CHECKING:
    from serve_app.replica.champion import LoadedVersion

REFUSALS = ("Overloaded", "UnsupportedClip", "UndecodableClip", "ClipTooLarge")
VERDICTS = ("accepted", "quarantined", "rejected")
KEPT = ("kept", "dropped")
MOST_VERSIONS = 5  # of which is told: each has two dozen series, and each teach makes one


class Metrics:
    def __init__(self, domain: str) -> None:
        self._domain = domain
        self.tally: Tally[str] = Tally()
        self._versions: list[str] = []  # the one that became known last at the end
        self.latencies = Latencies()
        self._busy_s = 0.0
        self._registry = CollectorRegistry()
        made = {name: family.counting(name, self._registry) for name, family in COUNTED.items()}
        self._counters = {name: one for name, one in made.items() if isinstance(one, Counter)}
        self._histograms = {name: one for name, one in made.items() if isinstance(one, Histogram)}
        # The library takes longer to find a series than to add to it.
        self._counter = cache(lambda name, *of: self._counters[name].labels(domain, *of))
        self._histogram = cache(lambda name, *of: self._histograms[name].labels(domain, *of))
        self._begin_at_zero()

    def predicted(self, served: "LoadedVersion", scores: Scores, seconds: float) -> None:
        if served.version not in self._versions:
            self._begin_version(served)
        self._add("telltale_predictions", served.bundle.labels[scores.best], served.version)
        self._observe("telltale_prediction_confidence", scores.confidence, served.version)
        if scores.unknown:
            self._add("telltale_unknown", served.version)
        self.tally["predictions"] += 1
        self._busy_s += seconds
        self.latencies.add(seconds)

    def requested(self, route: str, status: int, seconds: float) -> None:
        self._add("telltale_requests", route, str(status))
        self._observe("telltale_request_seconds", seconds, route, str(status))

    def rejected(self, reason: str) -> None:
        self._add("telltale_rejected", reason)
        self.tally["rejected"] += 1

    def corrected(self, verdict: str) -> None:
        self._add("telltale_feedback", verdict)
        self.tally["corrections"] += 1

    def kept(self, outcome: str) -> None:
        self._add("telltale_kept_predictions", outcome)

    def serving(self, served: "LoadedVersion") -> None:
        """The champion: it is the last to be forgotten."""
        if served.version not in self._versions:
            self._begin_version(served)
        elif served.version != self._versions[-1]:
            self._versions.remove(served.version)
            self._versions.append(served.version)

    def swapped(self, seconds: float) -> None:
        self._observe("telltale_swap_seconds", seconds)

    def swap_failed(self) -> None:
        self._add("telltale_swap_failures")

    def summary(self) -> dict[str, Any]:
        answered = self.tally["predictions"]
        return {
            "predictions": answered,
            "rejected": self.tally["rejected"],
            "corrections": self.tally["corrections"],
            "mean_ms": round(self._busy_s / answered * 1e3, 2) if answered else None,
        }

    def samples(self) -> dict[Key, float]:
        """All that was counted since the replica lives."""
        return {
            (sample.name, tuple(sample.labels.items())): sample.value
            for family in self._registry.collect()
            for sample in family.samples
            if not sample.name.endswith("_created")
        }

    def _begin_at_zero(self) -> None:
        """A counter that appears with its first event has no rate at that moment."""
        for name, family in COUNTED.items():
            if family.labels == ("domain",):
                (self._counters | self._histograms)[name].labels(self._domain)
        self._add("telltale_requests", "/predict", "200", amount=0)
        self._histogram("telltale_request_seconds", "/predict", "200")
        for reason in REFUSALS:
            self._add("telltale_rejected", reason, amount=0)
        for verdict in VERDICTS:
            self._add("telltale_feedback", verdict, amount=0)
        for outcome in KEPT:
            self._add("telltale_kept_predictions", outcome, amount=0)

    def _begin_version(self, served: "LoadedVersion") -> None:
        self._versions.append(served.version)
        for label in served.bundle.labels:
            self._add("telltale_predictions", label, served.version, amount=0)
        self._add("telltale_unknown", served.version, amount=0)
        self._histogram("telltale_prediction_confidence", served.version)
        if len(self._versions) > MOST_VERSIONS:
            self._forget(self._versions.pop(0))

    def _forget(self, version: str) -> None:
        for name, family in COUNTED.items():
            if "version" in family.labels:
                found = (self._counters | self._histograms)[name]
                found.remove_by_labels({"domain": self._domain, "version": version})
        self._counter.cache_clear()
        self._histogram.cache_clear()

    def _add(self, name: str, *labels: str, amount: float = 1) -> None:
        self._counter(name, *labels).inc(amount)

    def _observe(self, name: str, value: float, *labels: str) -> None:
        self._histogram(name, *labels).observe(value)
