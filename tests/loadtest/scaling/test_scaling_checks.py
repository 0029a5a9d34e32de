"""What must hold for a run to pass."""

from dataclasses import replace

import pytest

from loadtest.scaling.outcome import Change, Outcome, outcome_of
from loadtest.scaling.presets import Preset
from loadtest.scaling.run import Run
from support.followed import run

UP = Change(2, 24, 1, 3, wanted_s=1.0, running_s=4.0, answering_s=5.0)


def within(limits: dict[str, float], refused_fail: bool = False) -> Preset:
    return Preset("", "2x10", "PowerUser", refused_fail=refused_fail, limits=limits)


def failed(outcome: Outcome) -> list[str]:
    return [check.what for check in outcome.checks if not check.passed]


def without_failures(run: Run) -> Run:
    answers = [answer for answer in run.record.answers if not answer.cause]
    return replace(run, record=replace(run.record, answers=answers))


def test_a_run_within_its_limits_passes() -> None:
    limits = {"max_failed": 1.0, "max_p95_ms": 300.0, "max_scale_up_s": 6.0}
    assert outcome_of(run(), within(limits)).passed


@pytest.mark.parametrize(
    ("limits", "what"),
    [
        ({"max_failed": 0.0}, "requests failed"),
        ({"max_p95_ms": 100.0}, "p95 latency"),
        ({"max_scale_up_s": 3.0}, "step in load to all new replicas running"),
    ],
)
def test_each_limit_is_held_against_what_was_seen(limits: dict[str, float], what: str) -> None:
    assert failed(outcome_of(run(), within(limits))) == [what]


def test_a_refusal_fails_only_where_the_scenario_says_so() -> None:
    clean = without_failures(run())
    assert outcome_of(clean, within({"max_failed": 0.0})).passed
    outcome = outcome_of(clean, within({"max_failed": 0.0}, refused_fail=True))
    assert failed(outcome) == ["requests failed or refused"]


def test_a_scale_up_that_never_came_does_not_pass() -> None:
    found = run()
    steady = tuple(replace(sample, states={"RUNNING": 1}) for sample in found.samples)
    outcome = outcome_of(replace(found, samples=steady), within({"max_scale_up_s": 6.0}))
    assert "scale-up" in failed(outcome)


def test_replicas_that_do_not_go_away_again_do_not_pass() -> None:
    found = run()
    kept = tuple(sample for sample in found.samples if sample.at < found.record.steps[2].at + 3)
    outcome = outcome_of(replace(found, samples=kept), within({"max_scale_up_s": 6.0}))
    assert failed(outcome) == ["replicas at the end, as at the beginning"]


def test_a_run_that_answered_nothing_does_not_pass() -> None:
    found = run()
    outcome = outcome_of(replace(found, record=replace(found.record, answers=[])), within({}))
    assert failed(outcome) == ["requests answered"]
