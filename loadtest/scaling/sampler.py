"""Watches the replicas while load is on: a thread that asks the service three times a second.

It asks GET /status, which is enough for any service; where the service was started here, Ray
Serve's own view comes on top, for it answers also when every replica is busy.
"""

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from loadtest.machine import REPORTED, by_role, cpu_s, service_root, tree, use
from loadtest.own_service import REQUEST_S, Service, Target

EVERY_S = 1 / 3
FIGURES = ("state", "version", "queued", "answered", "batches", "start_time_s")
RUNNING = ("RUNNING", "UPDATING")
LEAVING = "STOPPING"


@dataclass(frozen=True)
class ReplicaSeen:
    """One replica at one moment; None for what the service does not tell."""

    name: str
    state: str | None = None
    version: str | None = None
    queued: int | None = None
    answered: int | None = None
    batches: int | None = None
    start_time_s: float | None = None


@dataclass(frozen=True)
class Sample:
    """`states` as Serve names them, `cpu_s` used so far by each role of processes."""

    at: float
    states: Mapping[str, int]
    replicas: tuple[ReplicaSeen, ...]
    cpu_s: Mapping[str, float]

    @property
    def running(self) -> int:
        return sum(self.states.get(state, 0) for state in RUNNING)

    @property
    def wanted(self) -> int:
        return sum(number for state, number in self.states.items() if state != LEAVING)

    def counts(self, column: str) -> "Counter[str]":
        """By replica, of those that tell."""
        found = {one.name: getattr(one, column) for one in self.replicas}
        return Counter({name: count for name, count in found.items() if count is not None})


@contextmanager
def sampled(target: Target) -> Iterator[list[Sample]]:
    """Samples from the block's begin to its end. This process, and so the users it runs, is
    counted with the service."""
    samples: list[Sample] = []
    over = threading.Event()
    thread = threading.Thread(target=_watch, args=(target, samples, over), daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join(2 * REQUEST_S)


def _watch(target: Target, samples: list[Sample], over: threading.Event) -> None:
    root, nothing, wait_s = None, use({}), 0.0
    while not over.wait(wait_s) or not samples:
        begun = time.monotonic()
        status = target.status()
        rows = target.serve_replicas() if isinstance(target, Service) else []
        pids = [int(row["pid"]) for row in status.get("replicas", []) if row.get("pid")]
        root = root or next(filter(None, map(service_root, pids)), None)
        used = cpu_s(nothing, use(tree([os.getpid(), root]))) if root else {}
        samples.append(sample(time.time(), status, rows, by_role(used, REPORTED)))
        wait_s = max(0.0, EVERY_S - (time.monotonic() - begun))


def sample(
    at: float, status: dict[str, Any], serve: list[dict[str, Any]], used_s: Mapping[str, float]
) -> Sample:
    """Serve's states count where it was asked; the rest of a replica's row is its own. Serve writes
    a replica's identity with and without the names of what it belongs to."""
    rows: dict[str, dict[str, Any]] = {}
    for row in (*status.get("replicas", []), *serve):
        name = row.get("replica_id") or row["replica"]
        rows.setdefault(name.rpartition("#")[2], {}).update(row)
    replicas = [ReplicaSeen(n, **{key: row.get(key) for key in FIGURES}) for n, row in rows.items()]
    counts = Counter(str(row["state"]) for row in serve)
    return Sample(at, dict(counts) or status.get("states") or {}, tuple(replicas), used_s)
