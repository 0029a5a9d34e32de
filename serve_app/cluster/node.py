"""A Ray node, the head or one that joins: processes of this one, on ports that are free.

`ray.init` would start a head too, but with its dashboard's agent, which starts Ray's jobs, on one
port of the machine: a second Telltale beside the first could not train.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import NotReady
from serve_app.cluster.processes import is_running

if TYPE_CHECKING:
    from ray._private.node import Node

OBJECT_STORE_BYTES = 256 * 1024**2


# Without these nothing works, and nothing but a new cluster brings them back.
VITAL = ("gcs_server", "raylet")
AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
DASHBOARD = "dashboard"  # the Jobs API and Serve's; started anew by itself


class Lost(NotReady):
    """A part of Ray has ended without which nothing works."""


class NoNode(NotReady):
    """Ray could not start; on a busy machine it may another time."""


@contextmanager
def ray_node(*, head: bool, **parameters: Any) -> Iterator["Node"]:
    """Runs inside the block, with `parameters` for Ray's RayParams; stopped behind it, and with
    this process if that is killed. Raises NoNode with Ray's own words."""
    from ray._private.node import Node
    from ray._private.parameter import RayParams

    wanted = RayParams(
        num_cpus=logical_cpus(),
        object_store_memory=OBJECT_STORE_BYTES,
        dashboard_agent_listen_port=None,  # any that is free
        **parameters,
    )
    logging.getLogger("ray._private.node").setLevel(logging.WARNING)
    try:
        node = Node(wanted, head=head, shutdown_at_exit=False, spawn_reaper=True)
    except Exception as error:
        raise NoNode(f"Ray could not start a node here: {error}") from error
    try:
        yield node
    finally:
        node.kill_all_processes(check_alive=False, allow_graceful=True, wait=True)


def watcher(node: "Node", say: Callable[[str], None]) -> Callable[[], None]:
    """A function that starts a dashboard anew that has died, and raises Lost when the node has lost
    more. A raylet ends with its agents, but takes its time: those are watched, too."""
    agents: dict[int, str] = {}

    def look() -> None:
        for name, process in node.dead_processes():
            if name in VITAL:
                raise Lost(f"Ray's {name} has ended (code {process.returncode})")
            if name == DASHBOARD:
                say("Ray's dashboard has ended; starting it anew")
                del node.all_processes[DASHBOARD]
        if DASHBOARD not in node.all_processes:  # also where it would not start a moment ago
            node.start_api_server(include_dashboard=True, raise_on_failure=False)
        for pid, title in agents.items():
            if not is_running(pid):
                raise Lost(f"Ray's {title} has ended")
        agents.update(_agents(node))

    return look


def _agents(node: "Node") -> dict[int, str]:
    """pid -> title of those of the raylet's children that it cannot do without."""
    found = {}
    for info in node.all_processes["raylet"]:
        for children in Path(f"/proc/{info.process.pid}/task").glob("*/children"):
            with suppress(OSError):  # it ended meanwhile
                for pid in map(int, children.read_text(encoding="ascii").split()):
                    title = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0 ").decode()
                    if title in AGENTS:
                        found[pid] = title.removeprefix("ray::")
    return found


def logical_cpus() -> int:
    """Bookkeeping, not cores: replicas, the curator, the page and training ask for fractions."""
    return max(8, 2 * (os.cpu_count() or 1))
