"""When a retrain starts by itself."""

from datetime import UTC, datetime, timedelta

import pytest

from data.sections import TriggerSpec
from serve_app.triggers import due

NOW = datetime(2026, 1, 2, tzinfo=UTC)
BOTH = TriggerSpec(new_clips=10, every_h=24)
NEVER = TriggerSpec(new_clips=None, every_h=None)


@pytest.mark.parametrize(
    ("triggers", "new", "hours_ago", "mode"),
    [
        (BOTH, 10, 1, "teach"),
        (BOTH, 9, 1, None),
        (BOTH, 9, 24, "full"),
        (BOTH, 1, None, "full"),
        (BOTH, 0, 99, None),
        (NEVER, 1000, 99, None),
    ],
)
def test_a_retrain_is_due_by_clips_or_by_time_but_never_for_nothing(
    triggers: TriggerSpec, new: int, hours_ago: int | None, mode: str | None
) -> None:
    last = None if hours_ago is None else NOW - timedelta(hours=hours_ago)
    order = due(triggers, new_clips=new, last_run=last, now=NOW)
    assert (order and order[0]) == mode
