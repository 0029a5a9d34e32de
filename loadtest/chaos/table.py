"""Every disturbance there is, with its bars, in the order in which they are tried."""

from collections.abc import Sequence

from data.errors import InvalidParameter
from loadtest.chaos import damage, floods, kills
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
    **dict.fromkeys(("dashboard", "dashboard-agent", "runtime-env-agent", "raylet", "gcs"), 60.0),
}
PAUSED = ("replica", "curator", "controller", "haproxy", "gcs")
QUICK = ("kill-replica", "kill-curator", "kill-haproxy", "slow-heads")

TABLE = (
    # First, since what a teach learns from grows with every clip that is sent.
    Disturbance("kill-trainer", "a teach's driver; then another teach", kills.kill_trainer, 60.0),
    Disturbance("kill-train-worker", "of a retrain that goes on", kills.kill_train_worker, 600.0),
    Disturbance("swap", "ten swaps between two versions", kills.swap, 3.0, 1000.0),
    *(
        Disturbance(f"kill-{part}", f"kill -9 of one {part}", kills.kill(part), bar_s)
        for part, bar_s in RECOVERY_S.items()
    ),
    Disturbance("kill-launcher", "kill -9, then the same command", kills.kill_launcher, 60.0),
    Disturbance("kill-everything", "then the same command", kills.kill_everything, 60.0),
    *(
        Disturbance(f"stop-{part}", "for some seconds", kills.pause(part), RECOVERY_S[part])
        for part in PAUSED
    ),
    Disturbance("slow-heads", "4,500 unfinished heads", floods.slow_heads, 3.0, 1000.0),
    Disturbance("slow-bodies", "1,300 unfinished bodies", floods.slow_bodies, 3.0, 1000.0),
    Disturbance("big-forms", "six forms of 500 MB without a key", floods.big_forms, 10.0),
    Disturbance("text-form", "480 MB of text fields without a key", floods.text_form, 10.0),
    Disturbance("database-locked", "by another for 5 s", damage.database_locked, 10.0, 1000.0),
    Disturbance("disk-full", "the home's disk for 5 s", damage.disk_full, 10.0),
    Disturbance("damaged-keys", "nonsense to be taken over", damage.damaged_keys, 3.0),
    Disturbance("damaged-pointer", "and a replica starts", damage.damaged_pointer, 6.0),
    Disturbance("corrupt-bundle", "cached, and a replica starts", damage.corrupt_bundle, 6.0),
    Disturbance("corrupt-database", "at a start, then right", damage.corrupt_database, 60.0),
    Disturbance("clock", "moved by three hours, on and back", kills.moved_clock, 60.0),
    Disturbance("beside", "a second service; no replica in either", kills.beside, 10.0),
)


def chosen(only: str, quick: bool) -> Sequence[Disturbance]:
    """Those of `only`, a list with commas, else the short setting, else all, in the table's order.
    Raises InvalidParameter for a name that is not in the table."""
    names = [row.name for row in TABLE]
    wanted = [name.strip() for name in only.split(",") if name.strip()]
    if unknown := [name for name in wanted if name not in names]:
        raise InvalidParameter(
            f"there is no disturbance {unknown[0]!r}; there are {', '.join(names)}"
        )
    wanted = wanted or (list(QUICK) if quick else names)
    return [row for row in TABLE if row.name in wanted]
