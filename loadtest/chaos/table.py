"""Every disturbance there is, with its bars, in the order in which they are tried."""

from collections.abc import Sequence

from data.errors import InvalidParameter
from loadtest.chaos.damage import (
    corrupt_bundle,
    corrupt_database,
    damaged_keys,
    damaged_pointer,
    database_locked,
    disk_full,
)
from loadtest.chaos.floods import big_forms, slow_bodies, slow_heads, text_form
from loadtest.chaos.kills import (
    PAUSE_S,
    beside,
    kill,
    kill_everything,
    kill_launcher,
    kill_train_worker,
    kill_trainer,
    moved_clock,
    pause,
    swap,
)
from loadtest.chaos.outcome import Disturbance

# Seconds from kill -9 until it does its work again; what the rest of the cluster hangs on has more.
RECOVERY_S = {
    "replica": 6.0,
    "curator": 10.0,
    "page": 15.0,  # Gradio alone takes seconds to load
    "controller": 10.0,
    "haproxy": 3.0,
    "haproxy-manager": 10.0,
    "proxy": 10.0,
    "dashboard": 60.0,
    "dashboard-agent": 60.0,
    "runtime-env-agent": 60.0,
    "raylet": 60.0,
    "gcs": 60.0,
}
PAUSED = ("replica", "curator", "controller", "haproxy", "gcs")
QUICK = ("replica", "curator", "haproxy")

KILLS = tuple(
    Disturbance(f"kill-{part}", f"kill -9 of one {part}", kill(part), bar_s, quick=part in QUICK)
    for part, bar_s in RECOVERY_S.items()
)
PAUSES = tuple(
    Disturbance(f"stop-{part}", f"{part} stopped for {PAUSE_S:g} s", pause(part), RECOVERY_S[part])
    for part in PAUSED
)
TABLE = (
    # First, since what a teach learns from grows with every clip that is sent.
    Disturbance("kill-trainer", "a teach's driver; then another teach", kill_trainer, 60.0),
    Disturbance("kill-train-worker", "in a full retrain, which goes on", kill_train_worker, 600.0),
    Disturbance("swap", "ten swaps between two versions", swap, 3.0, p99_ms=1000.0),
    *KILLS,
    Disturbance("kill-launcher", "kill -9, then the same command", kill_launcher, 60.0),
    Disturbance("kill-everything", "all processes, then the same command", kill_everything, 60.0),
    *PAUSES,
    Disturbance("slow-heads", "4,500 unfinished heads", slow_heads, 3.0, 1000.0, quick=True),
    Disturbance("slow-bodies", "1,300 unfinished bodies", slow_bodies, 3.0, 1000.0),
    Disturbance("big-forms", "six forms of 500 MB without a key", big_forms, 10.0),
    Disturbance("text-form", "480 MB of text fields without a key", text_form, 10.0),
    Disturbance("database-locked", "by somebody else for 5 s", database_locked, 10.0, 1000.0),
    Disturbance("disk-full", "the home's disk for 5 s", disk_full, 10.0),
    Disturbance(
        "damaged-keys", "keys.json, to be taken over, is nonsense for 5 s", damaged_keys, 3.0
    ),
    Disturbance("damaged-pointer", "and a replica starts", damaged_pointer, 6.0),
    Disturbance("corrupt-bundle", "in the cache, and a replica starts", corrupt_bundle, 6.0),
    Disturbance("corrupt-database", "at a start, then the right one", corrupt_database, 60.0),
    Disturbance("clock", "moved by three hours, on and back", moved_clock, 60.0),
    Disturbance("beside", "a second service; no replica in either", beside, 10.0),
)
NAMES = tuple(row.name for row in TABLE)


def chosen(only: str, quick: bool) -> Sequence[Disturbance]:
    """Those of `only`, a list with commas, else the short setting, else all, in the table's order.
    Raises InvalidParameter for a name that is not in the table."""
    wanted = [name.strip() for name in only.split(",") if name.strip()]
    if unknown := [name for name in wanted if name not in NAMES]:
        raise InvalidParameter(
            f"there is no disturbance {unknown[0]!r}; there are {', '.join(NAMES)}"
        )
    if wanted:
        return [row for row in TABLE if row.name in wanted]
    return [row for row in TABLE if row.quick or not quick]
