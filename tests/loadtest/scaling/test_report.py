"""The page and the table that a run leaves."""

from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.report import figure, page
from loadtest.scaling.outcome import Outcome, fixed_of, outcome_of, panels, tables
from loadtest.scaling.presets import presets
from support.followed import run


@pytest.fixture
def outcome() -> Outcome:
    found = run()
    return replace(outcome_of(found, presets()["smoke"]), fixed=(fixed_of(found, replicas=3),))


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
    text = page("Run", tables(outcome, presets()["smoke"]))
    for title in ("Checks", "How replicas followed", "Cold starts", "A fixed number of replicas"):
        assert f"## {title}" in text


def test_charts_of_what_nobody_told_are_left_out() -> None:
    found = run()
    shown = panels(outcome_of(replace(found, samples=[]), presets()["smoke"]), synthetic=False)
    assert [panel.title for panel in shown] == ["Requests", "Latency", "Users"]


def test_a_synthetic_run_says_so_wherever_it_is_shown(outcome: Outcome) -> None:
    assert panels(outcome, synthetic=True)[2].title == "Latency (synthetic)"


def test_a_scenario_stands_beside_what_is_published_about_it(outcome: Outcome) -> None:
    text = page("Run", tables(outcome, presets()["hotline"]))
    assert "Beside what is published" in text
    assert "github.com/honorine22/ml-individual-summative" in text
    text = page("Run", tables(outcome, presets()["smoke"]))
    assert "published" not in text
