"""How replicas followed the load, users and replicas on one clock, and what must hold to pass."""

from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.report import Row, figure, page
from loadtest.scaling.locust_run import LocustRun, Sample
from loadtest.scaling.presets import Preset, presets
from loadtest.scaling.summary import (
    Summary,
    changes,
    fixed_of,
    panels,
    per_second,
    summary_of,
    tables,
)
from support.followed import START, run


def within(limits: dict[str, float], refused_fail: bool = False) -> Preset:
    return Preset("", "2x10", "PowerUser", refused_fail=refused_fail, limits=limits)


def of(row: Row, columns: str) -> list[object]:
    return [row[column] for column in columns.split()]


def failed(summary: Summary) -> list[str]:
    return [check["what"] for check in summary.checks if not check["passed"]]


def without_failures(run: LocustRun) -> LocustRun:
    answers = [answer for answer in run.record["ms"] if not answer["cause"]]
    return replace(run, record={**run.record, "ms": answers})


def test_a_run_within_its_limits_passes() -> None:
    limits = {"max_failed": 1.0, "max_p95_ms": 300.0, "max_scale_up_s": 6.0}
    assert summary_of(run(), within(limits)).passed


@pytest.mark.parametrize(
    ("limits", "what"),
    [
        ({"max_failed": 0.0}, "requests failed"),
        ({"max_p95_ms": 100.0}, "p95 latency, ms"),
        ({"max_scale_up_s": 3.0}, "s from a step in load to all new replicas running"),
    ],
)
def test_each_limit_is_held_against_what_was_seen(limits: dict[str, float], what: str) -> None:
    assert failed(summary_of(run(), within(limits))) == [what]


def test_a_refusal_fails_only_where_the_scenario_says_so() -> None:
    clean = without_failures(run())
    assert summary_of(clean, within({"max_failed": 0.0})).passed
    summary = summary_of(clean, within({"max_failed": 0.0}, refused_fail=True))
    assert failed(summary) == ["requests failed or refused"]


def test_a_scale_up_that_never_came_does_not_pass() -> None:
    found = run()
    steady = tuple(replace(sample, states={"RUNNING": 1}) for sample in found.samples)
    summary = summary_of(replace(found, samples=steady), within({"max_scale_up_s": 6.0}))
    assert "scale-up" in failed(summary)


def test_replicas_that_do_not_go_away_again_do_not_pass() -> None:
    found = run()
    kept = tuple(
        sample for sample in found.samples if sample.at < found.record["wanted"][2]["at"] + 3
    )
    summary = summary_of(replace(found, samples=kept), within({"max_scale_up_s": 6.0}))
    assert failed(summary) == ["replicas at the end, as at the beginning"]


def test_a_run_that_answered_nothing_does_not_pass() -> None:
    found = run()
    summary = summary_of(replace(found, record={**found.record, "ms": []}), within({}))
    assert failed(summary) == ["requests answered"]


def test_each_second_has_what_the_users_got_and_what_the_replicas_were() -> None:
    found = run()
    row = per_second(found.record, found.samples)[12]
    assert of(row, "t_s users req_s refused") == [12.0, 24, 3.0, 1]
    assert of(row, "p50_ms p95_ms") == [30.0, 260.0]
    assert of(row, "running starting stopping") == [2, 1, 0]


def test_two_looks_at_one_moment_are_one_second() -> None:
    found = run()
    looks = found.record["there"]
    twice = {**found.record, "there": [*looks[:5], looks[4], *looks[5:]]}
    assert per_second(twice, found.samples) == per_second(found.record, found.samples)


def test_cpu_and_batch_size_are_differences_of_counters_that_grow() -> None:
    found = run()
    row = per_second(found.record, found.samples)[20]
    assert of(row, "cores batch_size queued") == [{"replica": 0.5}, 8.0, 6]


def test_what_nobody_told_is_left_empty() -> None:
    found = run()
    row = per_second(found.record, [])[5]
    assert not {"running", "queued", "batch_size", "cores"} & {*row}
    late = [replace(sample, at=sample.at - 600) for sample in found.samples]
    assert "running" not in per_second(found.record, late)[5]


def test_a_step_up_counts_until_decided_running_and_answering() -> None:
    found = run()
    up, _ = changes(found.record["wanted"], found.samples)
    assert of(up, "users_before users replicas_before replicas") == [2, 24, 1, 3]
    assert of(up, "decided_s running_s answering_s") == [1.0, 4.0, 5.0]


def test_a_step_down_counts_until_the_fewest_are_left() -> None:
    found = run()
    _, down = changes(found.record["wanted"], found.samples)
    assert of(down, "users replicas_before replicas") == [2, 3, 1]
    assert of(down, "decided_s running_s answering_s") == [6.0, 6.0, None]


def test_replicas_that_stay_as_many_are_no_change() -> None:
    found = run()
    steady = [Sample(s.at, {"RUNNING": 2}, s.replicas, s.cpu_s) for s in found.samples]
    assert changes(found.record["wanted"], steady) == []


def test_a_service_that_tells_no_states_is_not_guessed_at() -> None:
    found = run()
    silent = [replace(sample, states={}) for sample in found.samples]
    assert changes(found.record["wanted"], silent) == []


def trained(epochs: int, ended: float | None = None) -> LocustRun:
    """A retrain ordered at 10 s; from then on two answers in three take half as long again."""
    found = run()
    answers = [
        {**row, "ms": 1.5 * row["ms"]} if row["at"] >= START + 10 and row["ms"] < 100 else row
        for row in found.record["ms"]
    ]
    order = {"at": START + 10, "trained": epochs, "ended": ended}
    return replace(found, record={**found.record, "ms": answers, "trained": [order]})


def test_what_users_get_while_a_network_is_trained_stands_beside_what_they_got_before() -> None:
    before, during, times = summary_of(trained(2, START + 40), within({})).retrain
    assert (before["answered"], during["answered"]) == (30, 90)
    assert (before["p50_ms"], during["p50_ms"], times["p50_ms"]) == (30.0, 45.0, 1.5)
    assert during["ended"]


@pytest.mark.parametrize(
    ("epochs", "most", "passes"), [(1, 2.0, True), (1, 0.9, False), (0, 2.0, False)]
)
def test_a_retrain_may_hold_up_users_by_so_much_and_must_have_trained(
    epochs: int, most: float, passes: bool
) -> None:
    assert summary_of(trained(epochs), within({"max_p95_ratio": most})).passed == passes


@pytest.fixture
def summary() -> Summary:
    found = run()
    return replace(summary_of(found, presets()["smoke"]), fixed=(fixed_of(found, replicas=3),))


def test_the_page_shows_every_chart_and_table(tmp_path: Path, summary: Summary) -> None:
    shown = panels(summary, synthetic=False)
    assert [panel.title for panel in shown] == [
        "Replicas by state",
        "Requests",
        "Latency",
        "Users",
        "Queue",
        "CPU by process",
    ]
    figure(shown, columns=2).savefig(tmp_path / "scaling.png")
    text = page("Run", tables(summary, presets()["smoke"]))
    for title in ("Checks", "How replicas followed", "A fixed number of replicas"):
        assert f"## {title}" in text


def test_charts_of_what_nobody_told_are_left_out() -> None:
    found = run()
    shown = panels(summary_of(replace(found, samples=[]), presets()["smoke"]), synthetic=False)
    assert [panel.title for panel in shown] == ["Requests", "Latency", "Users"]


def test_a_synthetic_run_says_so_wherever_it_is_shown(summary: Summary) -> None:
    assert panels(summary, synthetic=True)[2].title == "Latency (synthetic)"


def test_a_scenario_stands_beside_what_is_published_about_it(summary: Summary) -> None:
    text = page("Run", tables(summary, presets()["hotline"]))
    assert "Beside what is published" in text
    assert "github.com/honorine22/ml-individual-summative" in text
    text = page("Run", tables(summary, presets()["smoke"]))
    assert "published" not in text
