"""Medians over the rounds; ratios within a round, since a machine drifts."""

from pathlib import Path

import pytest

from loadtest.bench.figures import conditions, panels, ratio, rows, tables
from loadtest.bench.measure import Case
from loadtest.report import Row, figure, page, write_json

CASE = Case("5s", "form", 32)
ONE = Case("5s", "form", 1)


def sample(
    server: str, round_: int, rate: float, *, case: Case = CASE, wait_ms: float = 10, **errors: int
) -> Row:
    return {
        "round": round_,
        "server": server,
        "case": case,
        "rate": rate,
        **dict.fromkeys(("p50_ms", "p95_ms", "p99_ms"), wait_ms),
        "cpu_ms": {"replica": 2.0, "ray": 0.5} if server == "telltale" else {"other": 2.0},
        "memory_mib": {"other": 100.0},
        "errors": errors,
        "client_cpu_ms": 0.0,
        "elsewhere": 0.0,
    }


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
    raw, telltale = rows(DRIFTING)
    assert (raw["rate"], raw["lowest"], raw["highest"]) == (1000, 500, 1000)
    assert telltale["rate"] == 800
    assert telltale["errors"] == {"status": 3}
    assert telltale["cpu_ms"] == {"replica": 2.0, "ray": 0.5}


def test_a_ratio_is_taken_within_each_round() -> None:
    assert ratio(DRIFTING, "telltale", "raw", CASE) == pytest.approx(0.8)
    assert ratio(DRIFTING, "telltale", "raw", CASE, "p50_ms") == pytest.approx(1.0)


def test_who_was_not_measured_has_no_ratio() -> None:
    assert ratio(DRIFTING, "telltale", "litserve", CASE) is None
    assert ratio(DRIFTING, "telltale", "raw", ONE) is None


def test_the_page_names_errors_targets_and_where_the_time_went(tmp_path: Path) -> None:
    text = " ".join(page("Bench", tables(DRIFTING, {"raw": 0.5})).split())
    assert "3 status" in text
    assert "2 workers, 32 connections | >= 0.85 (goal 0.95) | 0.80 | NO |" in text
    assert "| Telltale, 2 replicas | replica | - | 2.00 |" in text
    figure(panels(DRIFTING), columns=2).savefig(tmp_path / "bench.png")


def test_a_disturbed_result_says_so_first() -> None:
    text = conditions("two cores", "other programs use 0.90 of a core", 160_044, 3, 4)
    assert text.startswith("**Disturbed: other programs use 0.90 of a core.**")


def test_a_latency_that_was_not_measured_is_null_in_json(tmp_path: Path) -> None:
    write_json(tmp_path / "bench.json", [sample("telltale", 1, 0, wait_ms=float("nan"))])
    assert '"p50_ms": null' in (tmp_path / "bench.json").read_text()
