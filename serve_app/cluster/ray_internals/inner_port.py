"""Keeps a port closed by which whoever reaches a machine could run code in a replica.

Each replica of Serve serves other deployments' calls by gRPC, on every interface, without a
token, and unpickles what comes. Nothing of ours calls that way (RAY_SERVE_USE_GRPC_BY_DEFAULT=0:
calls between deployments go through Ray, with its token, and none is on a prediction's way), but
Serve opens the port all the same and has no setting for it.
"""

import inspect
from collections.abc import Callable
from typing import Any

EVERYWHERE = "[::]:0"  # asked for by ray.serve._private.replica alone


def keep_closed() -> None:
    """Call before Serve's replica is imported. Other servers of Ray bind as they ask to."""
    from ray._common import tls_utils

    tls_utils.add_port_to_grpc_server = Closed(tls_utils.add_port_to_grpc_server)


class Closed:
    def __init__(self, bind: Callable[[Any, str], int]) -> None:
        self._bind = bind

    def __call__(self, server: Any, address: str) -> int:
        return 0 if address == EVERYWHERE else self._bind(server, address)


def must_be_closed() -> None:
    """Ends a replica that would open it: Ray only logs that a preloaded module failed."""
    from ray.serve._private import replica

    bind = replica.add_port_to_grpc_server
    if not isinstance(bind, Closed) or EVERYWHERE not in inspect.getsource(replica):
        raise RuntimeError(
            "this Ray would open a port by which anybody could run code; use the version that "
            "deploy/constraints.txt pins"
        )
