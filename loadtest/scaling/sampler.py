"""Watches the replicas while load is on: a thread that asks the service three times a second.

It asks GET /status, which is enough for any service; where the service was started here, Ray
Serve's own view comes on top, for it answers also when every replica is busy.
"""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from typing import Any

import httpx
import psutil

from data.errors import InvalidParameter, NotReady
from loadtest.machine.processes import OTHER, REPORTED, by_role, tree
from loadtest.machine.usage import service_root

EVERY_S = 1 / 3
PATIENCE_S = 5.0
FIGURES = ("version", "queued", "answered", "batches", "ready_in_s")


@dataclass(frozen=True)
class ReplicaSeen:
    """One replica at one moment; None for what the service does not tell."""

    name: str
    state: str | None = None
    version: str | None = None
    queued: int | None = None
    answered: int | None = None
    batches: int | None = None
    ready_in_s: float | None = None
    started_at: float | None = None


@dataclass(frozen=True)
class Sample:
    """`states` as Serve names them, `cpu_s` used so far by each role of processes."""

    at: float
    states: Mapping[str, int]
    replicas: tuple[ReplicaSeen, ...]
    cpu_s: Mapping[str, float]


@dataclass(frozen=True)
class Target:
    """The service under load. `ray` makes a client of Ray's own view, where that is open."""

    url: str
    domain: str
    key: str = ""
    ray: Callable[[], httpx.Client] | None = None

    def client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE_S, trust_env=False)


class Sampler:
    """Samples from the `with` block's begin to its end. This process, and so the users it runs,
    is counted with the service."""

    def __init__(self, target: Target) -> None:
        self.samples: list[Sample] = []
        self._target = target
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="sampler", daemon=True)

    def __enter__(self) -> "Sampler":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(2 * PATIENCE_S)

    def _watch(self) -> None:
        with ExitStack() as stack:
            client = stack.enter_context(self._target.client())
            ray = stack.enter_context(self._target.ray()) if self._target.ray else None
            root: int | None = None
            over = False
            while not over:
                begun, domain = time.monotonic(), self._target.domain
                status = _at(client, "/status", "domains", domain) or {}
                rows = serve_replicas(ray, domain) if ray else []
                pids = [int(row["pid"]) for row in status.get("replicas", []) if row.get("pid")]
                root = root or next(filter(None, map(service_root, pids)), None)
                used = cpu_seconds([os.getpid(), root] if root else [])
                self.samples.append(sample(time.time(), status, rows, used))
                over = self._over.wait(max(0.0, EVERY_S - (time.monotonic() - begun)))


def cpu_seconds(roots: list[int]) -> dict[str, float]:
    """Role -> CPU seconds that the processes below `roots`, and these, have used so far."""
    used: dict[int, float] = {}
    for pid, process in tree(roots).items():
        with suppress(psutil.Error):
            used[pid] = sum(process.cpu_times()[:2])
    found = by_role(used, REPORTED)
    found.pop(OTHER, None)  # it has just ended
    return found


def check_served(target: Target) -> None:
    """Raises NotReady if nothing answers there, InvalidParameter if it serves other domains."""
    try:
        with target.client() as client:
            found = client.get("/status").raise_for_status().json()["domains"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise NotReady(
            f"no Telltale answers at {target.url} ({type(error).__name__}: {error}); start it, "
            "or leave --url away for a service of this command's own"
        ) from error
    if target.domain not in found:
        raise InvalidParameter(
            f"{target.url} does not serve {target.domain!r}; it serves {', '.join(found)}"
        )


def serve_replicas(client: httpx.Client, domain: str) -> list[dict[str, Any]]:
    """Ray Serve's rows of the domain's replicas, those that are starting or stopping included."""
    keys = ("applications", domain, "deployments", "DomainService", "replicas")
    found: list[dict[str, Any]] = _at(client, "/api/serve/applications/", *keys) or []
    return found


def _at(client: httpx.Client, path: str, *keys: str) -> Any:
    """What stands below the keys in the JSON at `path`; None where nothing does, or not in time."""
    with suppress(httpx.HTTPError, ValueError, KeyError):
        return reduce(getitem, keys, client.get(path).raise_for_status().json())
    return None


def sample(
    at: float, status: dict[str, Any], serve: list[dict[str, Any]], used_s: dict[str, float]
) -> Sample:
    """Serve's states count where it was asked; the rest of a replica's row is its own."""
    own = {_short(row["replica"]): row for row in status.get("replicas", [])}
    seen = {_short(row["replica_id"]): row for row in serve}
    replicas = tuple(
        ReplicaSeen(
            name,
            seen.get(name, {}).get("state"),
            started_at=seen.get(name, {}).get("start_time_s"),
            **{key: own.get(name, {}).get(key) for key in FIGURES},
        )
        for name in {**own, **seen}
    )
    counts = Counter(str(row["state"]) for row in serve)
    return Sample(at, dict(counts) or status.get("states") or {}, replicas, used_s)


def _short(replica: str) -> str:
    """Serve writes a replica's identity with and without the names of what it belongs to."""
    return replica.rpartition("#")[2]
