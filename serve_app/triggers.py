"""When a retrain starts by itself: enough new clips, or enough time with at least one."""

from datetime import datetime, timedelta

from data.domain import Mode
from data.sections import TriggerSpec


def due(
    triggers: TriggerSpec, *, new_clips: int, last_run: datetime | None, now: datetime
) -> tuple[Mode, str] | None:
    """(mode, reason), or None. `new_clips` counts those accepted since the last run began,
    whatever came of it: a refused challenger is not tried again on the same clips."""
    if new_clips == 0:
        return None
    if triggers.new_clips is not None and new_clips >= triggers.new_clips:
        return "teach", f"{new_clips} new clips (triggers.new_clips is {triggers.new_clips})"
    waited = None if last_run is None else now - last_run
    if triggers.every_h is not None and (
        waited is None or waited >= timedelta(hours=triggers.every_h)
    ):
        return "full", f"every {triggers.every_h:g} h (triggers.every_h)"
    return None
