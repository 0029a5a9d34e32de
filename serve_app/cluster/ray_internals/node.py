"""Ray's own class for a node, the head or one that joins, and as much of it as is used here."""

import logging
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

# Without these nothing works, and nothing but a new cluster brings them back.
VITAL = ("gcs_server", "raylet")
AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
DASHBOARD = "dashboard"  # the Jobs API and Serve's
LEAVING = "DRAIN_NODE_REASON_PREEMPTION"


class RayNode:
    """Processes of Ray's that end with this one, however that ends."""

    def __init__(self, *, head: bool, **parameters: Any) -> None:
        """`parameters` are for Ray's RayParams. Raises what Ray raises; what had started by then is
        stopped, since it might yet join."""
        from ray._private.node import Node
        from ray._private.parameter import RayParams

        logging.getLogger("ray._private.node").setLevel(logging.WARNING)
        wanted = RayParams(**parameters)
        self._node = Node.__new__(Node)
        try:
            self._node.__init__(wanted, head=head, shutdown_at_exit=False, spawn_reaper=True)
        except BaseException:
            self.stop()
            raise

    @property
    def gcs_address(self) -> str:
        return str(self._node.gcs_address)

    @property
    def node_id(self) -> str:
        return str(self._node.node_id)

    def ended(self) -> dict[str, int]:
        """Name -> exit code of each of its processes that has ended."""
        return {name: process.returncode for name, process in self._node.dead_processes()}

    def start_dashboard_anew(self) -> None:
        """Where it has ended, or would not start a moment ago."""
        if DASHBOARD in self.ended():
            del self._node.all_processes[DASHBOARD]
        if DASHBOARD not in self._node.all_processes:
            self._node.start_api_server(include_dashboard=True, raise_on_failure=False)

    def agents(self) -> dict[int, str]:
        """pid -> title of those of the raylet's children that it cannot do without."""
        found = {}
        for info in self._node.all_processes["raylet"]:
            for children in Path(f"/proc/{info.process.pid}/task").glob("*/children"):
                with suppress(OSError):  # it ended meanwhile
                    for pid in map(int, children.read_text(encoding="ascii").split()):
                        title = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0 ").decode()
                        if title in AGENTS:
                            found[pid] = title.removeprefix("ray::")
        return found

    def drain(self, patience_s: float) -> None:
        """Asks the head to move away what runs here, and waits until the node has stopped by
        itself, which it does when nothing runs on it."""
        from ray.core.generated.autoscaler_pb2 import DrainNodeReason

        deadline = time.time() + patience_s
        with suppress(Exception):  # a head that is gone drains nothing
            self._node.get_gcs_client().drain_node(
                self._node.node_id,
                DrainNodeReason.Value(LEAVING),
                "this machine leaves",
                int(deadline * 1000),
            )
            while time.time() < deadline and not self.ended():
                time.sleep(0.2)

    def stop(self) -> None:
        self._node.kill_all_processes(check_alive=False, allow_graceful=True, wait=True)


def is_let_in(gcs_address: str) -> bool:
    """Whether the head there knows this process's token."""
    from ray._raylet import GcsClient  # type: ignore[attr-defined]  # compiled
    from ray.exceptions import AuthenticationError

    try:
        GcsClient(address=gcs_address)
    except AuthenticationError:
        return False
    return True
