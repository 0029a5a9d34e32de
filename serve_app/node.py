"""A Ray node, the head or one that joins: processes of this one, on ports that are free.

`ray.init` would start a head too, but with its dashboard's agent, which starts Ray's jobs, on one
port of the machine: a second Telltale beside the first could not train.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from data.errors import NotReady

if TYPE_CHECKING:
    from ray._private.node import Node

OBJECT_STORE_BYTES = 256 * 1024**2


@contextmanager
def ray_node(*, head: bool, **parameters: Any) -> Iterator["Node"]:
    """Runs inside the block, with `parameters` for Ray's RayParams; stopped behind it, and with
    this process if that is killed. Raises NotReady with Ray's own words."""
    from ray._private.node import Node
    from ray._private.parameter import RayParams

    wanted = RayParams(
        num_cpus=logical_cpus(),
        object_store_memory=OBJECT_STORE_BYTES,
        dashboard_agent_listen_port=None,  # any that is free
        **parameters,
    )
    try:
        node = Node(wanted, head=head, shutdown_at_exit=False, spawn_reaper=True)
    except Exception as error:
        raise NotReady(f"Ray could not start a node here: {error}") from error
    try:
        yield node
    finally:
        node.kill_all_processes(check_alive=False, allow_graceful=True, wait=True)


def logical_cpus() -> int:
    """Bookkeeping, not cores: replicas, the curator, the page and training ask for fractions."""
    return max(8, 2 * (os.cpu_count() or 1))
