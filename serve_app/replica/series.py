"""Every series of /metrics, declared once, and what was counted as Prometheus text or JSON.

Replicas count what only grows (`replica_metrics.py`), the curator adds that up and knows the rest
(`serve_app/control/`): any replica writes out what the curator knows of all of them.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from prometheus_client import CollectorRegistry, Counter, Histogram, Metric, generate_latest
from prometheus_client.registry import Collector

Kind = Literal["counter", "histogram", "gauge"]
Key = tuple[str, tuple[tuple[str, str], ...]]  # a sample's name and labels
Samples = Mapping[Key, float]

ENDINGS: dict[Kind, tuple[str, ...]] = {
    "counter": ("_total",),
    "histogram": ("_bucket", "_sum", "_count"),
    "gauge": ("",),
}


@dataclass(frozen=True)
class Family:
    kind: Kind
    help: str
    labels: tuple[str, ...] = ("domain",)
    buckets: tuple[float, ...] = ()

    def counting(self, name: str, registry: CollectorRegistry) -> Counter | Histogram:
        if self.kind == "histogram":
            return Histogram(name, self.help, self.labels, buckets=self.buckets, registry=registry)
        return Counter(name, self.help, self.labels, registry=registry)


CONFIDENCE = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
SWAP_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
REQUEST_S = (0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)

COUNTED = {
    "telltale_requests": Family(
        "counter", "Requests by route and status", ("domain", "route", "status")
    ),
    "telltale_request_seconds": Family(
        "histogram", "Until it was answered", ("domain", "route", "status"), REQUEST_S
    ),
    "telltale_predictions": Family("counter", "Clips answered", ("domain", "label", "version")),
    "telltale_prediction_confidence": Family(
        "histogram", "Calibrated confidence", ("domain", "version"), CONFIDENCE
    ),
    "telltale_unknown": Family("counter", "Answers 'unknown'", ("domain", "version")),
    "telltale_rejected": Family("counter", "Clips refused, by reason", ("domain", "reason")),
    "telltale_feedback": Family("counter", "Corrections by verdict", ("domain", "verdict")),
    "telltale_kept_predictions": Family(
        "counter", "Answers to be kept, by what became of them", ("domain", "outcome")
    ),
    "telltale_swap_seconds": Family("histogram", "Load to swap", buckets=SWAP_S),
    "telltale_swap_failures": Family("counter", "Versions that could not be fetched or loaded"),
    "telltale_batches": Family("counter", "Passes of the network"),
    "telltale_batched_clips": Family("counter", "Clips in those passes: their mean size"),
    "telltale_cpu_seconds": Family(
        "counter", "Of all the domain's replicas; of shared ones, at the first domain"
    ),
}
KNOWN = {
    "telltale_retrain_runs": Family(
        "counter", "Retrains that have ended since the curator began", ("domain", "outcome")
    ),
    "telltale_champion": Family("gauge", "1 where a version is the champion, else 0"),
    "telltale_replicas": Family("gauge", "Replicas that answer"),
    "telltale_model_info": Family(
        "gauge", "1 for what a replica serves", ("domain", "replica", "node", "version", "digest")
    ),
    "telltale_queued_clips": Family("gauge", "Clips that wait", ("domain", "replica")),
    "telltale_resident_bytes": Family(
        "gauge", "Memory of a replica's process", ("domain", "replica")
    ),
    "telltale_quarantined_clips": Family("gauge", "Clips that wait for an admin"),
    "telltale_quota_refusals": Family(
        "counter", "Requests answered 429 because a quota was used up, by whose", ("caller",)
    ),
    "telltale_host_cpu_ratio": Family("gauge", "Of the head's cores, in use", ()),
    "telltale_host_memory_bytes": Family("gauge", "Of the head", ("kind",)),
    "telltale_disk_bytes": Family("gauge", "Where the home keeps things", ("kind",)),
}
FAMILIES = COUNTED | KNOWN
FAMILY_OF = {
    name + ending: name for name, family in FAMILIES.items() for ending in ENDINGS[family.kind]
}


def key(name: str, **labels: str) -> Key:
    return name, tuple(labels.items())


class _Known(Collector):
    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def collect(self) -> Iterable[Metric]:
        families = {name: Metric(name, f.help, f.kind) for name, f in FAMILIES.items()}
        for (name, labels), value in self._samples.items():
            families[FAMILY_OF[name]].add_sample(name, dict(labels), value)
        return families.values()


def as_text(samples: Samples) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Known(samples))
    return generate_latest(registry)


def as_json(samples: Samples) -> dict[str, Any]:
    """As {name: [{labels, value}]}."""
    series: dict[str, list[dict[str, Any]]] = {}
    for (name, labels), value in samples.items():
        series.setdefault(name, []).append({"labels": dict(labels), "value": value})
    return {"at": time.time(), "series": series}
