"""What becomes of a service when its parts die, hang or are flooded, while clients go on.

    telltale chaos --list
    telltale chaos --quick                 some of it, in a minute and a half
    telltale chaos --only kill-gcs,swap

It starts a service of its own, disturbs it in one way after another while clients upload, correct
and predict, and then looks for every clip that was acknowledged. Exit code 1: a bar is broken.
What it tries stands here, with its bars, in its order.
"""

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from data.datasets.sources import dataset_root
from data.errors import InvalidParameter, NotReady
from loadtest import command
from loadtest.chaos import damage, disturbance, kills
from loadtest.chaos.clients import CROWD, clients
from loadtest.chaos.disturbance import Disturbance, Subject, Verdict
from loadtest.machine import described
from loadtest.report import Row, publish, shown

# Seconds from kill -9 until it does its work again; what the rest of the cluster hangs on has more.
RECOVERY_S = {
    **{"replica": 6.0, "haproxy": 3.0, "page": 15.0},  # Gradio alone takes seconds to load
    **dict.fromkeys(("curator", "controller", "haproxy-manager", "proxy"), 10.0),
    **dict.fromkeys(("dashboard", "dashboard-agent", "runtime-env-agent", "raylet", "gcs"), 60.0),
}
PAUSED = ("replica", "curator", "controller", "haproxy", "gcs")
TRAINER = partial(kills.kill_in_retrain, "teach", "trainer")
TRAIN_WORKER = partial(kills.kill_in_retrain, "full", "train-worker")
LAUNCHER, EVERYBODY = (partial(kills.kill_and_start, everybody) for everybody in (False, True))
POINTER = partial(damage.corrupt_files, "champions/*.json")
CACHED = partial(damage.corrupt_files, "bundles/**/head.safetensors")
QUICK = ("kill-replica", "kill-curator", "kill-haproxy", "slow-heads")

TABLE = (
    # First, since what a teach learns from grows with every clip that is sent.
    Disturbance("kill-trainer", "a teach's driver; then another teach", TRAINER, 60.0),
    Disturbance("kill-train-worker", "of a retrain that goes on", TRAIN_WORKER, 600.0),
    Disturbance("swap", "ten swaps between two versions", kills.swap, 3.0, 1000.0),
    *(
        Disturbance(f"kill-{part}", f"kill -9 of one {part}", partial(kills.kill, part), bar_s)
        for part, bar_s in RECOVERY_S.items()
    ),
    Disturbance("kill-launcher", "kill -9, then the same command", LAUNCHER, 60.0),
    Disturbance("kill-everything", "then the same command", EVERYBODY, 60.0),
    *(
        Disturbance(f"stop-{one}", "for some seconds", partial(kills.pause, one), RECOVERY_S[one])
        for one in PAUSED
    ),
    Disturbance("slow-heads", "4,500 unfinished heads", damage.slow_heads, 3.0, 1000.0),
    Disturbance("slow-bodies", "1,300 unfinished bodies", damage.slow_bodies, 3.0, 1000.0),
    Disturbance("big-forms", "six forms of 500 MB without a key", damage.big_forms, 10.0),
    Disturbance("text-form", "480 MB of text fields without a key", damage.text_form, 10.0),
    Disturbance("database-locked", "by another for 5 s", damage.database_locked, 10.0, 1000.0),
    Disturbance("disk-full", "the home's disk for 5 s", damage.disk_full, 10.0),
    Disturbance("damaged-keys", "nonsense to be taken over", damage.damaged_keys, 3.0),
    Disturbance("damaged-pointer", "and a replica starts", POINTER, 6.0),
    Disturbance("corrupt-bundle", "cached, and a replica starts", CACHED, 6.0),
    Disturbance("corrupt-database", "at a start, then right", damage.corrupt_database, 60.0),
    Disturbance("clock", "moved by three hours, on and back", kills.moved_clock, 60.0),
    Disturbance("beside", "a second service; no replica in either", kills.beside, 10.0),
)


def parsed(words: command.Words = None) -> command.Arguments:
    parser = command.new_parser("chaos", __doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--only", default="", help="names of --list, with commas between them")
    what.add_argument("--quick", action="store_true", help="the short setting")
    what.add_argument("--list", action="store_true", help="what there is, and each bar")
    parser.add_argument("--domain", default="keywords")
    parser.add_argument("--replicas", type=command.counted, default=2)
    parser.add_argument("--port", type=command.counted, default=8140)
    parser.add_argument("--out", type=Path, default=Path("var/chaos"))
    return parser.parse_args(words)


def chosen(only: str, quick: bool) -> Sequence[Disturbance]:
    """In the table's order; raises InvalidParameter for a name that is not in it."""
    names = [row.name for row in TABLE]
    wanted = [name.strip() for name in only.split(",") if name.strip()]
    if unknown := [name for name in wanted if name not in names]:
        known = ", ".join(names)
        raise InvalidParameter(f"there is no disturbance {unknown[0]!r}; there are {known}")
    wanted = wanted or (list(QUICK) if quick else names)
    return [row for row in TABLE if row.name in wanted]


def tried(arguments: command.Arguments) -> int:
    if arguments.list:
        print("\n".join(f"{row.name:24} {row.bar_s:4g} s  {row.what}" for row in TABLE))
        return 0
    rows, root, on = chosen(arguments.only, arguments.quick), dataset_root(), described()
    domain, replicas = arguments.domain, arguments.replicas
    data = {"TELLTALE_DATASETS": str(root.resolve())} if root else {}
    with tempfile.TemporaryDirectory(prefix="telltale-chaos-", dir="/tmp") as name:
        home = Path(name) / "home"
        with damage.small_disk(home):
            with kills.serving(home, arguments.port, domain, replicas, **data) as service:
                print("the service is up", flush=True)
                with clients(service, service.get("/domains", "domains", 0, "labels")) as ledger:
                    verdicts, early = _disturbed_by(rows, Subject(service, ledger))
                found = service.get("/models", "versions") or []
            versions = {row["version"]: row["digest"] for row in found}
            audit = disturbance.audited(service.home, ledger, versions)
    wrong = disturbance.broken(early, verdicts, audit)
    about = {"on": on, "domain": domain, "replicas": replicas, "clients": sum(CROWD.values())}
    about["stopped early"] = early
    facts = disturbance.shown_of(about, verdicts, audit, wrong)
    more: Row = {"run": about, "disturbances": verdicts, "audit": audit}
    publish(arguments.out, "chaos", "Chaos", facts, **more, broken=wrong)
    return 1 if wrong else 0


def _disturbed_by(rows: Sequence[Disturbance], subject: Subject) -> tuple[list[Verdict], str]:
    """And why it was stopped before the last of them, if it was."""
    verdicts: list[Verdict] = []
    for row in rows:
        print(f"  {row.name}: {row.what}", end="", flush=True)
        try:
            verdicts.append(disturbance.disturbed(row, subject))
        except NotReady as error:
            return verdicts, f"after {row.name}, {error}"
        back_s, bars = verdicts[-1].row.get("back_s"), verdicts[-1].row["bars"]
        print(f"; back after {shown(back_s)} s, bars {bars}", flush=True)
    return verdicts, ""


if __name__ == "__main__":
    raise SystemExit(command.exit_code(tried, parsed()))
