"""The page and the table that a run leaves."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.report import figure, page
from loadtest.scaling.outcome import Outcome, fixed_of, outcome_of
from loadtest.scaling.presets import presets
from loadtest.scaling.report import panels, tables, write_csv
from support.followed import run


@pytest.fixture
def outcome() -> Outcome:
    found = run()
    return replace(outcome_of(found, {"max_failed": 0.0}), fixed=(fixed_of(found, replicas=3),))


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_page_shows_every_chart_and_table(tmp_path: Path, outcome: Outcome) -> None:
    shown = panels(outcome, synthetic=False)
    assert [panel.title for panel in shown] == [
        "Replicas by state",
        "Requests",
        "Latency",
        "Users",
        "Queue",
        "CPU by process",
    ]
    figure(shown, columns=2).savefig(tmp_path / "scaling.png")
    text = page("Run", *tables(outcome, None))
    for title in ("Checks", "How replicas followed", "Cold starts", "A fixed number of replicas"):
        assert f"## {title}" in text


def test_charts_of_what_nobody_told_are_left_out() -> None:
    found = run()
    shown = panels(outcome_of(replace(found, samples=[]), {}), synthetic=False)
    assert [panel.title for panel in shown] == ["Requests", "Latency", "Users"]


def test_a_synthetic_run_says_so_wherever_it_is_shown(tmp_path: Path, outcome: Outcome) -> None:
    assert panels(outcome, synthetic=True)[2].title == "Latency (synthetic)"
    write_csv(tmp_path / "scaling.csv", outcome.rows, synthetic=True)
    assert {row["profile"] for row in read(tmp_path / "scaling.csv")} == {"synthetic"}


def test_the_table_has_a_row_a_second(tmp_path: Path, outcome: Outcome) -> None:
    write_csv(tmp_path / "scaling.csv", outcome.rows, synthetic=False)
    rows = read(tmp_path / "scaling.csv")
    assert len(rows) == 45
    row = rows[12]
    assert (row["t_s"], row["users"], row["running"], row["starting"]) == ("12.0", "24", "2", "1")
    assert (row["refused"], row["p95_ms"], row["profile"]) == ("1", "260.0", "real")
    assert row["cores_replica"] == "0.5"


def test_a_scenario_stands_beside_what_is_published_about_it(outcome: Outcome) -> None:
    text = page("Run", *tables(outcome, presets()["hotline"]))
    assert "published" in text
    assert "github.com/honorine22/ml-individual-summative" in text
    text = page("Run", *tables(outcome, presets()["smoke"]))
    assert "published" not in text
