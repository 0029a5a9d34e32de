"""The page and the table that a run leaves."""

import csv
import re
from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.scaling.chart import Chart, Line, Mark
from loadtest.scaling.outcome import Outcome, fixed_of, outcome_of
from loadtest.scaling.presets import presets
from loadtest.scaling.report import About, tables, write_csv, write_html
from support.followed import run

ABOUT = About("Telltale under load", ("A <b> fact.",), "", "telltale scaling", None)


@pytest.fixture
def outcome() -> Outcome:
    found = run()
    return replace(outcome_of(found, {"max_failed": 0.0}), fixed=(fixed_of(found, replicas=3),))


def page(tmp_path: Path, outcome: Outcome, about: About = ABOUT) -> str:
    write_html(tmp_path / "report.html", outcome, about)
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_page_shows_every_chart_and_table(tmp_path: Path, outcome: Outcome) -> None:
    text = page(tmp_path, outcome)
    assert re.findall(r"<figcaption><b>([^<]+)</b>", text) == [
        "Replicas by state",
        "Requests",
        "Latency",
        "Users",
        "Queue",
        "CPU by process",
    ]
    for title in ("Checks", "How replicas followed", "Cold starts", "A fixed number of replicas"):
        assert f"<h2>{title}" in text
    assert "failed</span></h1>" in text


def test_the_page_needs_nothing_from_elsewhere(tmp_path: Path, outcome: Outcome) -> None:
    text = page(tmp_path, outcome)
    assert not re.search(r"<script|<link|<img|src=|url\(|@import", text)
    assert all(target.startswith("#") for target in re.findall(r'href="([^"]*)"', text))
    assert "#0000" not in text  # every colour is the style sheet's
    assert "prefers-color-scheme: dark" in text
    assert "A &lt;b&gt; fact." in text


def test_charts_of_what_nobody_told_are_left_out(tmp_path: Path) -> None:
    found = run()
    text = page(tmp_path, outcome_of(replace(found, samples=()), {}))
    assert "<b>Latency</b>" in text
    assert "<b>Replicas by state</b>" not in text
    assert "<b>CPU by process</b>" not in text


def test_a_synthetic_run_says_so_wherever_it_is_shown(tmp_path: Path, outcome: Outcome) -> None:
    text = page(tmp_path, outcome, replace(ABOUT, synthetic="Replicas wait."))
    assert "Replicas wait." in text
    assert "<b>Latency (synthetic)</b>" in text
    write_csv(tmp_path / "scaling.csv", outcome, synthetic=True)
    assert {row["profile"] for row in read(tmp_path / "scaling.csv")} == {"synthetic"}


def test_the_table_has_a_row_a_second(tmp_path: Path, outcome: Outcome) -> None:
    write_csv(tmp_path / "scaling.csv", outcome, synthetic=False)
    rows = read(tmp_path / "scaling.csv")
    assert len(rows) == 45
    row = rows[12]
    assert (row["t_s"], row["users"], row["running"], row["starting"]) == ("12.0", "24", "2", "1")
    assert (row["refused"], row["p95_ms"], row["profile"]) == ("1", "260.0", "real")
    assert row["cores_replicas"] == "0.5"


def test_a_scenario_stands_beside_what_is_published_about_it(outcome: Outcome) -> None:
    text = "\n".join(table.as_text() for table in tables(outcome, presets()["hotline"]))
    assert "published" in text
    assert "github.com/honorine22/ml-individual-summative" in text
    text = "\n".join(table.as_text() for table in tables(outcome, presets()["smoke"]))
    assert "published" not in text


def test_a_line_breaks_where_nothing_was_measured() -> None:
    line = Line("p50", [1.0, 2.0, None, 4.0, 5.0], colour=1)
    drawn = Chart("Latency", "ms", [line], stacked=False).svg([0, 1, 2, 3, 4], [Mark(1, "9 users")])
    (path,) = re.findall(r'<path d="([^"]+)"[^>]*stroke: var\(--c1\); stroke-width', drawn)
    assert path.count("M") == 2
    assert "9 users" in drawn
    assert "<title>2 s: </title>" in drawn
