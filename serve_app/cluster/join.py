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

from data.errors import NotReady, Unauthorized
from data.home import Home
from serve_app.cluster.cluster_file import Cluster, ip_towards, read_cluster, refuse_unfit
from serve_app.cluster.haproxy import haproxy
from serve_app.cluster.ray_environment import environment, release_ports
from serve_app.cluster.ray_internals.node import RayNode, is_let_in
from serve_app.cluster.ray_node import ray_node
from serve_app.settings import Settings

LEAVING_S = 60  # a replica's successor starts elsewhere, then it answers what it has


@contextmanager
def joined(settings: Settings, address: str, say: Callable[[str], None]) -> Iterator[RayNode]:
    """A node of the running Telltale inside the block; drained and stopped behind it.

    `address` is Ray's on the head; empty for what the head says itself. Raises NotReady, Conflict
    or Unauthorized with words where this machine cannot join.
    """
    cluster = read_cluster(settings.home)
    cluster = replace(cluster, address=address or cluster.address)
    ip = ip_towards(cluster)
    refuse_unfit(settings, cluster, ip)
    as_there = replace(
        settings,
        host=cluster.host,
        port=cluster.port,
        domains=cluster.domains,
        cors_origins=cluster.cors_origins,
    )
    release_ports()
    with tempfile.TemporaryDirectory(prefix="telltale-", dir="/tmp") as scratch:
        haproxy.write_launcher(
            Path(scratch), as_there.names, cluster.host, as_there.quotas, as_there.proxies
        )
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
            temp_dir=scratch,  # nodes that start together in one folder take each other's sockets
        ) as node:
            yield node
            say("leaving; replicas move away first (Ctrl-C again to stop at once)")
            node.drain(LEAVING_S)


def wait_while_joined(node: RayNode, home: Home) -> None:
    """Returns when interrupted only; raises NotReady when the head is gone. One that stops says so
    in `home`; of one that was killed Ray finds out after a minute."""
    with suppress(NotReady):
        announced = read_cluster(home)
        while not node.ended():
            with suppress(OSError):  # a shared folder that is away is not a head that is gone
                if read_cluster(home) != announced:
                    break
            time.sleep(1)
    raise NotReady("the head has stopped, or has given this machine up; join again when it is back")


def _refuse_wrong_token(cluster: Cluster) -> None:
    """Asks first: a node that may not join would try again and again, and then say it in C++."""
    if not is_let_in(cluster.address):
        raise Unauthorized(
            "the head does not know this machine's token; unset RAY_AUTH_TOKEN, the right one "
            "is in TELLTALE_HOME"
        )
