"""A Ray node, the head or one that joins: processes of this one, on ports that are free.

`ray.init` would start a head too, but with its dashboard's agent, which starts Ray's jobs, on one
port of the machine: a second Telltale beside the first could not train.
"""

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from data.errors import NotReady
from serve_app.cluster.ray_internals.node import DASHBOARD, VITAL, RayNode
from serve_app.cluster.service_processes import is_running

OBJECT_STORE_BYTES = 256 * 1024**2
FILES = 65_536  # as many as `ray.init` asks for


class Lost(NotReady):
    """A part of Ray has ended without which nothing works."""


class NoNode(NotReady):
    """Ray could not start; on a busy machine it may another time."""


@contextmanager
def ray_node(*, head: bool, **parameters: Any) -> Iterator[RayNode]:
    """Runs inside the block, with `parameters` for Ray's RayParams; stopped behind it, and with
    this process if that is killed. Raises NoNode with Ray's own words."""
    allow_files()
    try:
        node = RayNode(
            head=head,
            num_cpus=logical_cpus(),
            object_store_memory=OBJECT_STORE_BYTES,
            dashboard_agent_listen_port=None,  # any that is free
            # It would send workers' lines to drivers that print none: 45 MB and a hundredth of a
            # core at rest. A job's own lines reach `ray job logs` without it.
            include_log_monitor=False,
            **parameters,
        )
    except Exception as error:
        words = str(error).rstrip(".")
        raise NoNode(f"Ray could not start a node here: {words}") from error
    try:
        yield node
    finally:
        node.stop()


def allow_files() -> None:
    """For all that is started from here on: a shell's usual 1024 are fewer than one caller's forms
    may hold, and a replica without any accepts nobody and reads no database."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def watcher(node: RayNode, say: Callable[[str], None]) -> Callable[[], None]:
    """A function that starts a dashboard anew that has died, and raises Lost when the node has lost
    more. A raylet ends with its agents, but takes its time: those are watched, too."""
    agents: dict[int, str] = {}

    def look() -> None:
        for name, code in node.ended().items():
            if name in VITAL:
                raise Lost(f"Ray's {name} has ended (code {code})")
            if name == DASHBOARD:
                say("Ray's dashboard has ended; starting it anew")
        node.start_dashboard_anew()
        for pid, title in agents.items():
            if not is_running(pid):
                raise Lost(f"Ray's {title} has ended")
        agents.update(node.agents())

    return look


def logical_cpus() -> int:
    """Bookkeeping, not cores: replicas, the curator, the page and training ask for fractions."""
    return max(8, 2 * (os.cpu_count() or 1))
