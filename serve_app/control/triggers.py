"""When a retrain starts by itself: enough new clips, or a time of the schedule with at least one.

All is read from the runs and clips that are kept, so that a curator that starts anew misses
nothing; of several times that were missed one is made up for.

Time is for what only a full training learns: where there can be one, its times count from the last
of its kind, and so do clips that a teach has learnt, or that were held back and then accepted,
since. Elsewhere it is a teach as any other.

A run that brought no champion strands nothing: its clips stay new, and it is tried again, a minute
later, then two, four and so on. On the very clips that were refused, or whose run somebody
cancelled, it is not: something must have been added, accepted or relabelled since.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import takewhile

from cronsim import CronSim

from data.domains.domain import Mode
from data.domains.sections import TriggerSpec
from data.store.run_rows import RunRow

FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)
LOOK_BACK = 20  # runs; by then the longest wait is reached


Order = tuple[Mode, str, str]  # the reason in words, and the trigger's name


def due_by_count(triggers: TriggerSpec, new_clips: int) -> Order | None:
    if triggers.new_clips is None or new_clips < triggers.new_clips:
        return None
    counted = f"{new_clips} clips are new or taken back"
    return "teach", f"{counted} (triggers.new_clips is {triggers.new_clips})", "new_clips"


def is_timed(triggers: TriggerSpec) -> bool:
    return triggers.every_h is not None or triggers.schedule is not None


def due_by_time(
    triggers: TriggerSpec,
    *,
    clips: int,
    runs: Sequence[RunRow],
    now: datetime,
    clips_since: Callable[[datetime], int] = lambda since: 0,
) -> Order | None:
    """`runs` are those that count as one of its times, newest first; `clips_since` tells how many
    of the clips came after a time: a run at a time of the schedule needs one that was there
    before."""
    if clips == 0:
        return None
    began = last_began(runs)
    if triggers.every_h is not None and (
        began is None or now - began >= timedelta(hours=triggers.every_h)
    ):
        return "full", f"every {triggers.every_h:g} h (triggers.every_h)", "every_h"
    if triggers.schedule is None:
        return None
    time = next(CronSim(triggers.schedule, now, reverse=True))
    if (began is None or began < time) and clips_since(time) < clips:
        return (
            "full",
            f"{time:%Y-%m-%d %H:%M} UTC of {triggers.schedule} (triggers.schedule)",
            "schedule",
        )
    return None


def last_began(runs: Sequence[RunRow]) -> datetime | None:
    return next((run.created_at for run in runs if run.state != "failed"), None)


def must_have_changed_since(runs: Sequence[RunRow]) -> datetime | None:
    """When the last run began that was refused or cancelled, if no champion came of one since."""
    heeded = (run.created_at for run in _fruitless(runs) if run.state != "failed")
    return next(heeded, None)


def not_ended_well(runs: Sequence[RunRow]) -> list[RunRow]:
    """Those since the last one that came to its end: what the gate says holds up no forgetting."""
    return list(takewhile(lambda run: run.state != "succeeded", runs))


def next_try(runs: Sequence[RunRow], triggers: TriggerSpec | None = None) -> datetime | None:
    """None if the last run brought a champion, or there was none."""
    fruitless = _fruitless(runs)
    if not fruitless or fruitless[0].finished_at is None:
        return None
    every_h = triggers.every_h if triggers else None
    longest = timedelta(hours=every_h) if every_h else LONGEST_WAIT
    return fruitless[0].finished_at + min(FIRST_WAIT * 2.0 ** (len(fruitless) - 1), longest)


def _fruitless(runs: Sequence[RunRow]) -> list[RunRow]:
    return list(takewhile(_is_fruitless, runs))


def _is_fruitless(run: RunRow) -> bool:
    """Not so a run that found nothing new to learn: it made no version."""
    result = run.result or {}
    return run.state != "succeeded" or ("version" in result and not result.get("promoted"))
