"""series.py, replica_metrics.py: what /metrics tells of replicas that come and go."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from serve_app.control.gauges import of_domain
from serve_app.control.history import History
from serve_app.replica.replica_metrics import MOST_VERSIONS, Metrics
from serve_app.replica.series import COUNTED, FAMILY_OF, Samples, as_json, as_text, key
from support.inputs.sounds import tone
from support.replica import Replica, answering

BEGIN, DOMAINS = 1_000_000.0, ("faults", "hearts", "keywords", "wildlife", "cracks")
LABELS = tuple(f"label {number}" for number in range(10))
ASKED = ("/health", "/ready", "/status", "/metrics", "/upload", "/retrain", "/models")


def row(name: str, metrics: Metrics) -> dict[str, Any]:
    known = {"replica": name, "node": "0123abcd", "version": "17", "digest": "9b1f" * 16}
    load = {"queued": 3, "rss_mb": 200, "uptime_s": 1.0, "refused": 0, "swaps": 1}
    counted = {"latencies": list(metrics.latencies.counts), "counted": metrics.samples()}
    return {**known, **load, **counted}


def served(version: str) -> Any:
    return SimpleNamespace(version=version, bundle=SimpleNamespace(labels=LABELS))


def read(samples: Samples) -> dict[str, float]:
    """By name and labels, as Prometheus reads the text."""
    families = text_string_to_metric_families(as_text(samples).decode())
    return {f"{s.name}{s.labels}": s.value for family in families for s in family.samples}


def test_counters_are_there_at_zero_before_anything_happens() -> None:
    metrics = Metrics("faults")
    metrics.serving(served("1"))
    found = read(metrics.samples())
    assert set(found.values()) == {0}
    assert "telltale_swap_failures_total{'domain': 'faults'}" in found
    assert (
        "telltale_predictions_total{'domain': 'faults', 'label': 'label 9', 'version': '1'}"
        in found
    )
    assert "telltale_rejected_total{'domain': 'faults', 'reason': 'Overloaded'}" in found
    assert {FAMILY_OF[name] for name, _ in metrics.samples()} == set(COUNTED)


def answered(metrics: Metrics, version: str, confidence: float, unknown: bool = False) -> None:
    scores: Any = SimpleNamespace(best=0, confidence=confidence, unknown=unknown)
    metrics.predicted(served(version), scores, 0.01)


def test_the_doubt_of_a_version_on_trial_is_told_apart_from_the_champions() -> None:
    metrics = Metrics("faults")
    metrics.serving(served("1"))
    answered(metrics, "1", 0.95)
    answered(metrics, "2", 0.35, unknown=True)
    found = metrics.samples()
    for version, doubtful in (("1", 0), ("2", 1)):
        labels = {"domain": "faults", "version": version}
        assert found[key("telltale_unknown_total", **labels)] == doubtful
        low = key("telltale_prediction_confidence_bucket", **labels, le="0.4")
        assert (found[low], found[("telltale_prediction_confidence_count", low[1][:2])]) == (
            doubtful,
            1,
        )


def test_versions_that_were_replaced_long_ago_are_told_of_no_more() -> None:
    metrics, history = Metrics("faults"), History()
    metrics.serving(served("0"))
    for number in range(1, 100):
        answered(metrics, str(number), 0.9)
        metrics.serving(served("0"))  # as each second
        history.note([row("a", metrics)], BEGIN + 10 * number)
    answered(metrics, "99", 0.9)
    history.note([row("a", metrics)], BEGIN + 2_000)
    for found in (metrics.samples(), history.counted):
        versions = {dict(labels).get("version") for _, labels in found} - {None}
        assert versions == {"0", *map(str, range(100 - MOST_VERSIONS + 1, 100))}
    last = key("telltale_predictions_total", domain="faults", label=LABELS[0], version="99")
    assert metrics.samples()[last] == 2


def test_a_domain_counts_what_its_replicas_did_also_those_that_have_gone() -> None:
    history, one, two = History(), Metrics("faults"), Metrics("faults")
    history.note([row("a", one), row("b", two)], BEGIN)
    one.swap_failed()
    two.swap_failed()
    history.note([row("a", one), row("b", two)], BEGIN + 1)
    three = Metrics("faults")
    three.swap_failed()
    history.note([row("a", one), row("c", three)], BEGIN + 2)
    assert history.counted[key("telltale_swap_failures_total", domain="faults")] == 3


def test_requests_are_counted_by_route_and_status(tmp_path: Path) -> None:
    replica = Replica("keywords", tmp_path)
    with answering(replica) as client:
        client.post("/predict", files={"file": tone()})
        client.post("/keywords/predict", content=b"none", headers={"content-type": "audio/wav"})
        client.get("/clips/" + "0" * 64)
        client.get("/nothing/of/ours")
    found = replica.metrics.samples()
    for route, status in (
        *(("/predict", "200"), ("/predict", "415"), ("/clips/{sha256}", "401"), ("other", "404")),
    ):
        labels = {"domain": "keywords", "route": route, "status": status}
        assert found[key("telltale_requests_total", **labels)] == 1, labels
        assert found[key("telltale_request_seconds_count", **labels)] == 1


@pytest.fixture
def busy() -> Samples:
    """Five domains of ten labels, four replicas each, asked by people and by what watches them."""
    samples: dict[Any, float] = {}
    for domain in DOMAINS:
        metrics = Metrics(domain)
        metrics.serving(served("1"))
        for route in ASKED if domain == "faults" else ("/feedback",):
            metrics.requested(route, 200, 0.1)
        metrics.requested("/predict", 429, 0.1)
        rows = [row(f"{domain}#DomainService#{number:08}", metrics) for number in range(4)]
        samples |= metrics.samples() | of_domain(domain, True, rows)
    return samples


def test_five_busy_domains_are_told_in_50_kb_of_declared_series_only(busy: Samples) -> None:
    assert len(as_text(busy)) < 50_000
    names = {name for name, _ in busy}
    assert names == set(as_json(busy)["series"])
    assert names <= set(FAMILY_OF)


@pytest.mark.perf
def test_a_scrape_of_five_busy_domains_takes_less_than_50_ms_of_cpu(busy: Samples) -> None:
    as_text(busy)
    started = time.process_time()
    for _ in range(10):
        as_text(busy)
    assert time.process_time() - started < 10 * 0.05, "11 ms each on a quiet machine"
