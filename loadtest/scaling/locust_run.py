"""One run of load on one service: Locust in a process of its own, since its monkey patching must
not reach the thread here that watches replicas.

What the users got is written by `steps.py`, a JSON object a line, and every latency is kept:
percentiles over any stretch of time are then exact. Of the replicas GET /status is asked, which is
enough for any service; where it was started here, Ray Serve's own view comes on top, for it answers
also when every replica is busy.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from data.errors import NotReady
from loadtest.machine import REPORTED, by_role, cpu_s, service_root, tree, use
from loadtest.own_service import REQUEST_S, Service, Target
from loadtest.report import Row, Rows, percentiles
from loadtest.scaling.presets import Preset

LOCUSTFILE = Path(__file__).with_name("steps.py")
# Those who leave wait for their last answer: what is cut off would count as nothing.
OPTIONS = "--headless --only-summary --stop-timeout 30 --exit-code-on-error 0 --loglevel WARNING"
EVERY_S = 1 / 3
RUNNING = ("RUNNING", "UPDATING")
LEAVING = "STOPPING"
GRACE_S = 60  # for the last answers, beyond the steps
RETRAIN = {"mode": "full", "epochs": 3, "reason": "a load test"}


# "ms": the answers, each with how long it took, whether it was `refused`, and the `cause` why it
# failed; "there": the users that there were, looked at once a second; "wanted": those wanted from
# then on; "trained": epochs of the full retrain that was ordered then, and when it ended, if it
# did. Each has its moment, `at`; the first step begins the record, the last look ends it.
Record = Mapping[str, Rows]


@dataclass(frozen=True)
class Sample:
    at: float
    states: Mapping[str, int]  # as Serve names them
    replicas: Mapping[str, Row]  # what is told of each, by its name
    cpu_s: Mapping[str, float]  # so far, by role of processes

    @property
    def running(self) -> int:
        return sum(self.states.get(state, 0) for state in RUNNING)

    @property
    def wanted(self) -> int:
        return sum(number for state, number in self.states.items() if state != LEAVING)

    def counts(self, column: str) -> "Counter[str]":
        found = {name: row.get(column) for name, row in self.replicas.items()}
        return Counter({name: count for name, count in found.items() if count is not None})


@dataclass(frozen=True)
class LocustRun:
    record: Record
    samples: Sequence[Sample]


def run(target: Target, load: Preset, out: Path, name: str) -> LocustRun:
    """Leaves `name`.jsonl and `name`.log in `out`. Raises NotReady if Locust could not do it."""
    record, log = out / f"{name}.jsonl", out / f"{name}.log"
    record.unlink(missing_ok=True)
    # The key goes through the environment: a command line can be read by everybody.
    think = ",".join(f"{seconds:g}" for seconds in load.think_s)
    environment = os.environ | {"TELLTALE_KEY": target.key, "TELLTALE_THINK_S": think}
    words = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), *OPTIONS.split(), load.user]
    # Each domain answers at its name, the first one at the root as well.
    words += ["--host", f"{target.url}/{target.domain}"]
    words += ["--steps", load.steps, "--record", str(record)]
    told: Any = {"env": environment, "stderr": subprocess.STDOUT, "timeout": load.seconds + GRACE_S}
    with log.open("wb") as console, sampled(target) as samples, retrained(target, load) as trained:
        try:
            code = subprocess.run(words, stdout=console, **told).returncode
        except subprocess.TimeoutExpired:
            raise NotReady(f"Locust did not end by itself; its last words are in {log}") from None
    if code != 0 or not record.exists():
        last = log.read_text(encoding="utf-8")[-1500:].strip()
        raise NotReady(f"Locust ended with {code}: {last}")
    return LocustRun({**read_record(record), "trained": trained}, samples)


@contextmanager
def retrained(target: Target, load: Preset) -> Iterator[list[Row]]:
    """By a full retrain that is ordered while the block lasts, where the load has one."""
    rows, orders, path = list[Row](), dict[str, float](), f"/{target.domain}/retrain"

    def order() -> None:
        made = target.request("POST", path, json=RETRAIN).raise_for_status()
        orders[made.json()["id"]] = time.time()

    timer = threading.Timer(load.retrain_after_s or threading.TIMEOUT_MAX, order)
    timer.start()
    try:
        yield rows
    finally:
        timer.cancel()
    for name, at in orders.items():
        told: Any = next(filter(None, (target.get(f"{path}/{name}") for _ in range(6))), {})
        ended = told.get("finished") and datetime.fromisoformat(told["finished"]).timestamp()
        epochs = sum(event["kind"] == "epoch" for event in told.get("events", ()))
        rows.append({"at": at, "trained": epochs, "ended": ended})


def read_record(path: Path) -> Record:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {kind: [line for line in lines if kind in line] for kind in ("ms", "there", "wanted")}


def summarise(record: Record, since: float, until: float) -> dict[str, Any]:
    """Of what was answered from `since` on, before `until`."""
    found = [one for one in record["ms"] if since <= one["at"] < until]
    waits_ms = [one["ms"] for one in found if not one["refused"] and not one["cause"]]
    failed = sum(bool(one["cause"]) for one in found)
    return {
        "req_s": round(len(waits_ms) / (until - since), 1),
        **percentiles(waits_ms),
        "failed": failed,
        "refused": len(found) - len(waits_ms) - failed,
        "answered": len(waits_ms),
    }


@contextmanager
def sampled(target: Target) -> Iterator[list[Sample]]:
    """Samples while the block lasts; this process, and so its users, counts with the service."""
    samples, over = list[Sample](), threading.Event()

    def watch() -> None:
        root, nothing, wait_s = None, use({}), 0.0
        while not over.wait(wait_s) or not samples:
            begun, status = time.monotonic(), target.status()
            serve = target.serve_replicas() if isinstance(target, Service) else []
            pids = [row["pid"] for row in status.get("replicas", []) if row.get("pid")]
            root = root or next(filter(None, map(service_root, pids)), None)
            used = cpu_s(nothing, use(tree([os.getpid(), root]))) if root else {}
            samples.append(sample(time.time(), status, serve, by_role(used, REPORTED)))
            wait_s = max(0.0, EVERY_S - (time.monotonic() - begun))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join(2 * REQUEST_S)


def sample(at: float, status: Row, serve: Rows, used_s: Mapping[str, float]) -> Sample:
    """Serve's states count where it was asked; the rest of a replica's row is its own. Serve writes
    a replica's identity with and without the names of what it belongs to."""
    rows: dict[str, dict[str, Any]] = {}
    for row in (*status.get("replicas", []), *serve):
        name = row.get("replica_id") or row["replica"]
        rows.setdefault(name.rpartition("#")[2], {}).update(row)
    counts = Counter(str(row["state"]) for row in serve)
    return Sample(at, dict(counts) or status.get("states") or {}, rows, used_s)
