"""What becomes of a service when its parts die, hang or are flooded, while clients go on.

    telltale chaos --list
    telltale chaos --quick                 some of it, in a minute and a half
    telltale chaos --only kill-gcs,swap

It starts a service of its own, disturbs it in one way after another while clients upload, correct
and predict, and then looks for every clip that was acknowledged. Exit code 1: a bar is broken.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data.datasets.sources import dataset_root
from data.errors import NotReady
from loadtest import command
from loadtest.chaos.clients import CROWD, clients
from loadtest.chaos.outcome import Disturbance, Outcome, Subject, disturbed
from loadtest.chaos.report import audited, broken, markdown
from loadtest.chaos.service import serving, small_disk
from loadtest.chaos.table import TABLE, chosen
from loadtest.report import publish, shown


def main() -> int:
    arguments = parsed()
    if arguments.list:
        print("\n".join(f"{row.name:24} {row.bar_s:4g} s  {row.what}" for row in TABLE))
        return 0
    command.stop_on_signal()
    return command.exit_code("chaos", lambda: tried(arguments))


def parsed(words: list[str] | None = None) -> argparse.Namespace:
    parser = command.parser("telltale chaos", __doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--only", default="", help="names of --list, with commas between them")
    what.add_argument("--quick", action="store_true", help="the short setting")
    what.add_argument("--list", action="store_true", help="what there is, and each bar")
    parser.add_argument("--domain", default="keywords")
    parser.add_argument("--replicas", type=command.counted, default=2)
    parser.add_argument("--port", type=command.counted, default=8140)
    parser.add_argument("--out", type=Path, default=Path("var/chaos"))
    return parser.parse_args(words)


def tried(arguments: argparse.Namespace) -> int:
    rows, root, domain = chosen(arguments.only, arguments.quick), dataset_root(), arguments.domain
    about: dict[str, Any] = {
        "at": time.strftime("%Y-%m-%d %H:%M"),
        "domain": domain,
        "replicas": arguments.replicas,
        "clients": sum(CROWD.values()),
        "load average before": os.getloadavg(),
    }
    data = {"TELLTALE_DATASETS": str(root.resolve())} if root else {}
    with tempfile.TemporaryDirectory(prefix="telltale-chaos-", dir="/tmp") as name:
        folder, home = Path(name), Path(name) / "home"
        with small_disk(home):
            with serving(
                folder, home, arguments.port, domain, arguments.replicas, **data
            ) as service:
                print("the service is up", flush=True)
                with clients(service, service.labels()) as ledger:
                    outcomes, about["stopped early"] = _disturbed_by(rows, Subject(service, ledger))
                found = service.get("/models", "versions") or []
            audit = audited(service.home, ledger, {row["version"]: row["digest"] for row in found})
    wrong = broken(about["stopped early"], outcomes, audit)
    facts = {"about": about, "disturbances": outcomes, "audit": audit, "broken": wrong}
    publish(arguments.out, "chaos", markdown(about, outcomes, audit, wrong), facts)
    return 1 if wrong else 0


def _disturbed_by(rows: Sequence[Disturbance], subject: Subject) -> tuple[list[Outcome], str]:
    """And why it was stopped before the last of them, if it was."""
    outcomes: list[Outcome] = []
    for row in rows:
        print(f"  {row.name}: {row.what}", end="", flush=True)
        try:
            outcomes.append(disturbed(row, subject))
        except NotReady as error:
            return outcomes, f"after {row.name}, {error}"
        back = f"; back after {shown(outcomes[-1].back_s)} s"
        print(f"; skipped: {outcomes[-1].skipped}" if outcomes[-1].skipped else back, flush=True)
    return outcomes, ""


if __name__ == "__main__":
    sys.exit(main())
