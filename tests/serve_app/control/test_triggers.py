"""When a retrain starts by itself."""

from datetime import UTC, datetime, timedelta

import pytest

from data.database.schema import RunState
from data.domains.sections import TriggerSpec
from data.store.run_rows import RunRow
from serve_app.control.triggers import due_by_count, due_by_time, next_try

NOW = datetime(2026, 1, 2, tzinfo=UTC)
BOTH = TriggerSpec(new_clips=10, every_h=24)
NEVER = TriggerSpec(new_clips=None, every_h=None)


@pytest.mark.parametrize(
    ("triggers", "new", "mode"), [(BOTH, 10, "teach"), (BOTH, 9, None), (NEVER, 1000, None)]
)
def test_a_teach_is_due_by_clips(triggers: TriggerSpec, new: int, mode: str | None) -> None:
    order = due_by_count(triggers, new)
    assert (order and order[0]) == mode


@pytest.mark.parametrize(
    ("triggers", "clips", "hours_ago", "mode"),
    [
        (BOTH, 9, 1, None),
        (BOTH, 9, 24, "full"),
        (BOTH, 1, None, "full"),
        (BOTH, 0, 99, None),
        (NEVER, 1000, 99, None),
    ],
)
def test_a_full_training_is_due_by_time_but_never_for_nothing(
    triggers: TriggerSpec, clips: int, hours_ago: int | None, mode: str | None
) -> None:
    runs = [] if hours_ago is None else [run("succeeded", hours_ago)]
    order = due_by_time(triggers, clips=clips, runs=runs, now=NOW)
    assert (order and order[0]) == mode


def run(state: RunState, hours_ago: float) -> RunRow:
    began = NOW - timedelta(hours=hours_ago)
    return RunRow("r", "faults", "full", "", "ann", state, began, began, {"message": ""})


NIGHTLY = TriggerSpec(new_clips=None, every_h=None, schedule="30 23 * * *")
TICK = NOW - timedelta(minutes=30)


@pytest.mark.parametrize(
    ("runs", "later", "is_due"),
    [
        ([], 0, True),  # nobody ran at that time, a clip waited
        ([], 1, False),  # it came only afterwards
        ([1], 0, True),
        ([0.25], 0, False),  # that was the one
        ([100], 0, True),  # of four nights one is made up for, by the same look at what is kept
    ],
)
def test_a_time_of_the_schedule_is_made_up_for_once(
    runs: list[float], later: int, is_due: bool
) -> None:
    seen = []

    def clips_since(since: datetime) -> int:
        seen.append(since)
        return later

    ended = [run("succeeded", ago) for ago in runs]
    order = due_by_time(NIGHTLY, clips=1, runs=ended, now=NOW, clips_since=clips_since)
    assert (order is not None) == is_due
    assert set(seen) <= {TICK}
    if order:
        assert (order[0], order[2]) == ("full", "schedule")
        assert "30 23 * * *" in order[1]


def test_a_schedule_that_is_none_is_refused_with_one_that_is() -> None:
    for wrong in ("at three", "0 3 31 2 *", "61 * * * *"):
        with pytest.raises(ValueError, match=r"as 0 3 \* \* \*"):
            TriggerSpec(new_clips=None, every_h=None, schedule=wrong)


def test_a_failed_run_does_not_count_as_one_of_the_schedule() -> None:
    runs = [run("failed", 1), run("succeeded", 25)]
    assert due_by_time(BOTH, clips=1, runs=runs, now=NOW)


@pytest.mark.parametrize(
    ("triggers", "failed", "minutes"),
    [(BOTH, 1, 1), (BOTH, 4, 8), (BOTH, 20, 24 * 60), (NEVER, 20, 60)],
)
def test_a_try_waits_twice_as_long_as_the_last_and_no_longer_than_the_schedule(
    triggers: TriggerSpec, failed: int, minutes: int
) -> None:
    runs = [run("failed", 0)] * failed + [run("succeeded", 1)]
    assert next_try(runs, triggers) == NOW + timedelta(minutes=minutes)
    assert next_try(runs[failed:], triggers) is None
