"""Medians over the rounds; ratios within a round, since a machine drifts."""

from pathlib import Path

import pytest

from loadtest.bench.driver import Load
from loadtest.bench.measure import Case, Sample
from loadtest.bench.publish import publish
from loadtest.bench.results import by_case, p50, rate, ratio

CASE = Case("5s", "form", 32)
ONE = Case("5s", "form", 1)
TITLES = {"raw": "raw ASGI", "telltale": "Telltale", "loop": "bare loop"}
ABOUT = {
    "when": "today",
    "disturbed": "",
    "machine": "a machine",
    "client": "asyncio",
    "clip_bytes": 160_044,
    "rounds": 3,
    "seconds": 4,
}


def sample(
    server: str, round_: int, rate: float, *, case: Case = CASE, wait_ms: float = 10, **errors: int
) -> Sample:
    load = Load(round(rate * 10), 10.0, wait_ms, wait_ms, wait_ms, errors, 0.1)
    cpu = {"replica": 2.0, "ray": 0.5} if server == "telltale" else {"other": 2.0}
    return Sample(round_, server, case, load, cpu, {"other": 100.0}, 0.01, 0)


# The machine is half as fast in round 2: every ratio stays 0.8, and round 3 is an outlier.
DRIFTING = [
    sample("raw", 1, 1000),
    sample("telltale", 1, 800),
    sample("raw", 2, 500),
    sample("telltale", 2, 400, status=3),
    sample("raw", 3, 1000),
    sample("telltale", 3, 950),
]


def test_a_row_is_the_median_of_its_rounds_and_its_errors_are_summed() -> None:
    raw, telltale = by_case(DRIFTING)
    assert (raw.server, raw.median(rate), min(raw.rates), max(raw.rates)) == (
        "raw",
        1000,
        500,
        1000,
    )
    assert telltale.median(rate) == 800
    assert telltale.errors == {"status": 3}
    assert telltale.cpu_ms == {"replica": 2.0, "ray": 0.5}


def test_a_ratio_is_taken_within_each_round() -> None:
    assert ratio(DRIFTING, "telltale", "raw", CASE) == pytest.approx(0.8)
    assert ratio(DRIFTING, "telltale", "raw", CASE, p50) == pytest.approx(1.0)


def test_who_was_not_measured_has_no_ratio() -> None:
    assert ratio(DRIFTING, "telltale", "litserve", CASE) is None
    assert ratio(DRIFTING, "telltale", "raw", ONE) is None


def test_the_page_names_errors_targets_and_where_the_time_went(tmp_path: Path) -> None:
    text, files = publish(tmp_path / "out", DRIFTING, TITLES, {"raw": 0.5}, ABOUT)
    text = " ".join(text.split())
    assert {file.suffix for file in files} == {".json", ".csv", ".md", ".png"}
    assert all(file.stat().st_size > 100 for file in files)
    assert "3 status" in text
    assert "| req/s over raw ASGI, 32 connections | >= 0.85 (goal 0.95) | 0.80 | NO |" in text
    assert "| Telltale | replica | 2.00 |" in text
    assert "Disturbed" not in text


def test_a_disturbed_result_says_so_first(tmp_path: Path) -> None:
    about = {**ABOUT, "disturbed": "other programs use 0.90 of a core"}
    text, _ = publish(tmp_path, DRIFTING, TITLES, {}, about)
    assert "**Disturbed: other programs use 0.90 of a core.**" in text


def test_a_latency_that_was_not_measured_is_null_in_json(tmp_path: Path) -> None:
    silent = sample("telltale", 1, 0, wait_ms=float("nan"))
    publish(tmp_path, [sample("raw", 1, 9), silent], TITLES, {}, ABOUT)
    assert '"p50_ms": null' in (tmp_path / "bench.json").read_text()
