"""loadtest/plan/, its measurements and words: what is measured, kept and said."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from loadtest import machine
from loadtest.command import exit_code
from loadtest.open_loop import Offered, poisson
from loadtest.plan import __main__ as plan
from loadtest.plan import service_times, sizing
from loadtest.plan.queueing import Cost, Costs, saturate, simulate
from loadtest.plan.service_times import CLIENTS, Spent, Times, fitted
from loadtest.report import figure, page, write_json

COSTS = Costs(
    Cost(2.0, 2.5), each=0.9, loop=Cost(0.8, 1.0), proxy=Cost(0.2, 0.4), client=Cost(0.1, 0.2)
)
TIMES = Times(
    costs=COSTS,
    cores=2,
    max_batch=4,
    idle_cores=0.2,
    capacity_rps=300.0,
    lone_p50_ms=3.3,
    light_p50_ms=4.4,
    strangers=0.0,
    idle_by_role={"ray": 0.2},
    busy_ms_by_role={"replica": 2.8},
)


def offered(latency_ms: float, due_s: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> Offered:
    count = due_s.size
    return Offered(
        due_s=due_s,
        sent_s=due_s,
        ended_s=due_s + latency_ms / 1e3,
        status=np.full(count, 200),
        retry_after=np.zeros(count, dtype=bool),
        worked_ms=np.linspace(1.0, 3.0, count),
        client_cpu_s=0.0001 * count,
    )


def spent(worker_ms: float, rate: float) -> Spent:
    roles = {"replica": worker_ms + 1, "haproxy": 0.2, "controller": 0.1}
    return Spent(offered(5.0, poisson(rate, 10, seed=1)), roles, worker_ms, 1.0, 0.0)


def test_a_batch_of_many_is_told_from_that_of_one() -> None:
    """A batch of 4 costs 2 * (1 + 0.8 * 3) = 6.8 ms, 1.7 ms a clip."""
    found = service_times._costs(spent(2.0, 300), spent(3.0, 30), spent(1.7, 400), max_batch=4)
    assert found.worker.warm_ms == 2.0
    assert found.each == pytest.approx(0.8)
    assert found.worker.cold_ms > 3.0
    assert found.loop.cold_ms == found.loop.warm_ms == 1.0
    assert found.other_ms == pytest.approx(0.1)
    assert np.mean(found.spread) == pytest.approx(1.0, abs=0.01)


def test_where_batches_have_one_clip_no_more_is_asked_of_them() -> None:
    found = service_times._costs(spent(2.0, 300), spent(3.0, 30), spent(2.1, 400), max_batch=1)
    assert found.each == 1.0


def test_what_no_counter_shows_is_found_from_capacity_and_median() -> None:
    hidden = replace(COSTS, overlap=1.3, delay_ms=0.7)
    capacity = saturate(TIMES.node(1), hidden, CLIENTS, seconds=5.0).answered_per_s
    due = poisson(30, 20, seed=2)
    median = simulate(due, TIMES.node(1), hidden).quantile(0.5)
    seen = replace(TIMES, capacity_rps=capacity, light_p50_ms=median)
    found = fitted(seen, offered(1.0, due)).costs
    assert found.overlap == pytest.approx(1.3, abs=0.02)
    assert found.delay_ms == pytest.approx(0.7, abs=0.05)


def test_service_times_come_back_as_they_were_written(tmp_path: Path) -> None:
    write_json(tmp_path / "times.json", TIMES)
    assert service_times.read(tmp_path / "times.json") == TIMES


@pytest.mark.parametrize("text", ["{}", '{"costs": 3}', "[]", "no json"])
def test_a_file_that_holds_no_times_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "times.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"times\.json holds no service times"):
        service_times.read(path)


def test_the_plan_says_what_it_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizing, "REQUESTS", 800)
    write_json(tmp_path / "times.json", TIMES)
    words = ["--rps", "500", "--p95-ms", "50", "--cores-per-node", "4"]
    arguments = plan.parsed([*words, "--times", str(tmp_path / "times.json")])
    assert exit_code(plan.planned, arguments) == 0
    said = capsys.readouterr().out
    assert "nodes of 4 cores" in said
    assert "square-root rule" in said


@pytest.mark.parametrize("words", [["--times", "no/such.json"], ["--url", "http://127.0.0.1:9"]])
def test_what_the_times_cannot_come_from_is_said(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(plan.planned, plan.parsed(["--rps", "500", *words])) == 1
    assert capsys.readouterr().err.startswith("telltale: ")


@pytest.mark.parametrize(
    "words", [[], ["--rps", "0"], ["--rps", "9", "--burst", "0.5"], ["--rps", "many"]]
)
def test_a_wish_that_makes_no_sense_is_refused(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        plan.parsed(words)
    assert "--rps" in capsys.readouterr().err


def test_predicted_stands_beside_measured(tmp_path: Path) -> None:
    due = np.arange(0.0, 3.0, 0.1)
    points = [plan.point(offered(10.0, due), 1, 0.5, 2.0, TIMES, 0.02)]
    capacity = {"replicas": 1, "measured req/s": 300.0, "predicted req/s": 330.0, "error": 0.1}
    found = plan.found(TIMES, [capacity], points, "a game is on")
    text = " ".join(page("Check", found).split())
    assert "| 1 | 300 | 330 | 0.10 |" in text
    assert "| 1 | 0.50 | 10.0 | 10.0 |" in text
    assert "Disturbed before the start: a game is on." in text
    figure([plan.panel(TIMES, capacity, points)]).savefig(tmp_path / "check.png")
    assert (tmp_path / "check.png").stat().st_size > 10_000


def test_the_second_in_which_connections_open_is_left_out_of_a_point() -> None:
    due = np.arange(0.0, 3.0, 0.1)
    opening = np.where(due < 1, 0.5, 0.01)
    found = replace(offered(0.0, due), ended_s=due + opening)
    point = plan.point(found, 1, 0.3, 2.0, TIMES, 0.0)
    assert [point[f"{name}_ms measured"] for name in ("p50", "p95", "p99")] == [10.0] * 3
    assert point["req/s"] == 10.0


def test_nothing_is_measured_on_a_busy_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "disturbance", lambda: "a game is on")
    with pytest.raises(ValueError, match="a game is on, or say --anyway"):
        plan.check(plan.parsed(["--check", "--out", str(tmp_path)]))
    assert not list(tmp_path.iterdir())
