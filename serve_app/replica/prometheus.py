"""What a replica counts, and the cluster's series as Prometheus text or JSON.

Ray's node agent gathers the series of every replica; `/metrics` hands them on, so that any
replica answers for all of them.
"""

import logging
import re
import time
from collections import Counter as Tally
from typing import TYPE_CHECKING, Any

import httpx
import ray
from ray.serve.metrics import Counter, Gauge, Histogram

from data.errors import NotReady
from models.runtime import Scores
from serve_app.replica.latencies import Latencies

if TYPE_CHECKING:
    from serve_app.replica.champion import LoadedVersion

log = logging.getLogger("ray.serve")

NOISE = re.compile(r'(?:Component|SessionName|Version|otel_scope_\w+)="[^"]*",?')
KEPT = ("ray_telltale_", "ray_serve_", "ray_haproxy_")
CONFIDENCE = [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99]
SECONDS = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0]


class Metrics:
    def __init__(self, domain: str) -> None:
        self._domain = domain
        self.tally: Tally[str] = Tally()
        self.latencies = Latencies()
        self._busy_s = 0.0
        self._answered: Tally[tuple[str, str]] = Tally()
        self._announced: tuple[str, str] | None = None
        self._predictions = Counter(
            "telltale_predictions_total", "Clips answered", ("domain", "label", "version")
        )
        self._confidence = Histogram(
            "telltale_prediction_confidence", "Calibrated confidence", CONFIDENCE, ("domain",)
        )
        self._unknown = Counter("telltale_unknown_total", "Answers 'unknown'", ("domain",))
        self._feedback = Counter(
            "telltale_feedback_total", "Corrections by verdict", ("domain", "verdict")
        )
        self._rejected = Counter(
            "telltale_rejected_total", "Clips refused, by reason", ("domain", "reason")
        )
        self._kept = Counter(
            "telltale_kept_predictions_total",
            "Answers to be kept, by what became of them",
            ("domain", "outcome"),
        )
        self._info = Gauge(
            "telltale_model_info", "1 for the served model", ("domain", "version", "digest")
        )
        self._swap_s = Histogram("telltale_swap_seconds", "Load to swap", SECONDS, ("domain",))
        self._swap_failures = Counter(
            "telltale_swap_failures_total", "Versions that could not be loaded", ("domain",)
        )

    def predicted(self, served: "LoadedVersion", scores: Scores, seconds: float) -> None:
        label = served.bundle.labels[scores.best]
        self._answered[label, served.version] += 1
        self._confidence.observe(scores.confidence, tags={"domain": self._domain})
        if scores.unknown:
            self._unknown.inc(tags={"domain": self._domain})
        self.tally["predictions"] += 1
        self._busy_s += seconds
        self.latencies.add(seconds)

    def flush(self) -> None:
        """Hands on what was counted since: a call into Ray for each answer would be felt."""
        for (label, version), number in self._answered.items():
            tags = {"domain": self._domain, "label": label, "version": version}
            self._predictions.inc(number, tags=tags)
        self._answered.clear()

    def rejected(self, reason: str) -> None:
        self._rejected.inc(tags={"domain": self._domain, "reason": reason})
        self.tally["rejected"] += 1

    def corrected(self, verdict: str) -> None:
        self._feedback.inc(tags={"domain": self._domain, "verdict": verdict})
        self.tally["corrections"] += 1

    def kept(self, outcome: str) -> None:
        self._kept.inc(tags={"domain": self._domain, "outcome": outcome})

    def serving(self, served: "LoadedVersion") -> None:
        now = (served.version, served.digest)
        if self._announced not in (None, now):
            self._mark(*self._announced, value=0)
        self._mark(*now, value=1)
        self._announced = now

    def swapped(self, seconds: float) -> None:
        self._swap_s.observe(seconds, tags={"domain": self._domain})

    def swap_failed(self) -> None:
        self._swap_failures.inc(tags={"domain": self._domain})

    def summary(self) -> dict[str, Any]:
        answered = self.tally["predictions"]
        return {
            "predictions": answered,
            "rejected": self.tally["rejected"],
            "corrections": self.tally["corrections"],
            "mean_ms": round(self._busy_s / answered * 1e3, 2) if answered else None,
        }

    def _mark(self, version: str, digest: str, value: int) -> None:
        tags = {"domain": self._domain, "version": version, "digest": digest[:12]}
        self._info.set(value, tags=tags)


def scrape() -> str:
    """Prometheus text of Telltale's and Serve's series over all nodes that answer. Blocking.
    Raises NotReady where none does."""
    pages, silent = [], ""
    for node in ray.nodes():
        if node["Alive"]:
            address = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
            try:
                pages.append(httpx.get(address, timeout=2, trust_env=False).raise_for_status().text)
            except httpx.HTTPError as error:
                silent = type(error).__name__
                log.warning("the metrics at %s cannot be read: %s", address, silent)
    if not pages:
        raise NotReady(f"no node's metrics can be read: {silent}")
    return "\n".join(_kept(page) for page in pages) + "\n"


def as_json(text: str) -> dict[str, Any]:
    """The same series as {name: [{labels, value}]}."""
    from prometheus_client.parser import text_string_to_metric_families

    series: dict[str, list[dict[str, Any]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            row = {"labels": sample.labels, "value": sample.value}
            series.setdefault(sample.name, []).append(row)
    return {"at": time.time(), "series": series}


def _kept(page: str) -> str:
    """Without what names this process of Ray's rather than anything one would ask for."""
    rows = []
    for line in page.splitlines():
        name = line.split(" ", 3)[2] if line.startswith("# ") else line
        if name.startswith(KEPT):
            rows.append(NOISE.sub("", line.replace("ray_telltale_", "telltale_")))
    return "\n".join(rows)
