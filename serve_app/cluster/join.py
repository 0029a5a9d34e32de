"""Adds this machine's cores to a Telltale that runs on another: `python -m serve_app join`.

Starts one Ray node with the head's settings; Serve then puts replicas on it as it does at home.
Leaving is asked for, not taken: Ray drains the node, so that replicas move away first.
"""

import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import NotReady, Unauthorized
from data.home import Home
from serve_app.cluster import haproxy
from serve_app.cluster.cluster_file import Cluster, ip_towards, read_cluster, refuse_unfit
from serve_app.cluster.node import ray_node
from serve_app.cluster.ray_environment import environment
from serve_app.settings import Settings

if TYPE_CHECKING:
    from ray._private.node import Node

LEAVING_S = 60  # a replica's successor starts elsewhere, then it answers what it has


@contextmanager
def joined(settings: Settings, address: str, say: Callable[[str], None]) -> Iterator["Node"]:
    """A node of the running Telltale inside the block; drained and stopped behind it.

    `address` is Ray's on the head; empty for what the head says itself. Raises NotReady, Conflict
    or Unauthorized with words where this machine cannot join.
    """
    cluster = read_cluster(settings.home)
    cluster = replace(cluster, address=address or cluster.address)
    ip = ip_towards(cluster)
    refuse_unfit(settings, cluster, ip)
    as_there = replace(settings, host=cluster.host, port=cluster.port, domains=cluster.domains)
    with tempfile.TemporaryDirectory(prefix="telltale-", dir="/tmp") as scratch:
        haproxy.write_launcher(Path(scratch), as_there.names, cluster.host)
        os.environ.update(environment(as_there, Path(scratch)))
        del os.environ["RAY_API_SERVER_ADDRESS"]  # the head's curator alone submits jobs
        # Requests come from the head's HAProxy, which says for whom.
        os.environ["FORWARDED_ALLOW_IPS"] = f"127.0.0.1,{socket.gethostbyname(cluster.ip)}"
        _refuse_wrong_token(cluster)
        say(f"joining {cluster.address} as {ip}")
        with ray_node(
            head=False,
            gcs_address=cluster.address,
            node_ip_address=ip,
            include_log_monitor=False,
            temp_dir=scratch,  # nodes that start together in one folder take each other's sockets
        ) as node:
            yield node
            say("leaving; replicas move away first (Ctrl-C again to stop at once)")
            _drain(node)


def wait_while_joined(node: "Node", home: Home) -> None:
    """Returns when interrupted only; raises NotReady when the head is gone. One that stops says so
    in `home`; of one that was killed Ray finds out after a minute."""
    with suppress(NotReady):
        announced = read_cluster(home)
        while not node.dead_processes():
            with suppress(OSError):  # a shared folder that is away is not a head that is gone
                if read_cluster(home) != announced:
                    break
            time.sleep(1)
    raise NotReady("the head has stopped, or has given this machine up; join again when it is back")


def _refuse_wrong_token(cluster: Cluster) -> None:
    """Asks first: a node that may not join would try again and again, and then say it in C++."""
    from ray._raylet import GcsClient  # type: ignore[attr-defined]  # compiled
    from ray.exceptions import AuthenticationError

    try:
        GcsClient(address=cluster.address)
    except AuthenticationError:
        raise Unauthorized(
            "the head does not know this machine's token; unset RAY_AUTH_TOKEN, the right one "
            "is in TELLTALE_HOME"
        ) from None


def _drain(node: "Node") -> None:
    """Waits until the node has stopped by itself, which it does when nothing runs on it."""
    from ray.core.generated.autoscaler_pb2 import DrainNodeReason

    deadline = time.time() + LEAVING_S
    with suppress(Exception):  # a head that is gone drains nothing
        node.get_gcs_client().drain_node(
            node.node_id,
            DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION"),
            "this machine leaves",
            int(deadline * 1000),
        )
        while time.time() < deadline and not node.dead_processes():
            time.sleep(0.2)
