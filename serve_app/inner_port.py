"""Keeps a port closed by which whoever reaches a machine could run code in a replica.

Each replica of Serve serves other deployments' calls by gRPC, on every interface, without a
token, and unpickles what comes. Nothing of ours calls that way (RAY_SERVE_USE_GRPC_BY_DEFAULT=0:
calls between deployments go through Ray, with its token, and none is on a prediction's way), but
Serve opens the port all the same and has no setting for it.
"""

from typing import Any

EVERYWHERE = "[::]:0"  # asked for by ray.serve._private.replica alone


def keep_closed() -> None:
    """Call before Serve's replica is imported. Other servers of Ray bind as they ask to."""
    from ray._common import tls_utils

    bind = tls_utils.add_port_to_grpc_server

    def bind_unless_everywhere(server: Any, address: str) -> int:
        port: int = 0 if address == EVERYWHERE else bind(server, address)
        return port

    tls_utils.add_port_to_grpc_server = bind_unless_everywhere
