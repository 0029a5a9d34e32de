"""What Ray's processes must find in their environment, and the ports and folder of one service.

Ray reads these when its processes start, so they are set before anything imports it. Figures:
DECISIONS.md.
"""

import hashlib
import os
import secrets
import shlex
import shutil
import socket
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from data.domains.domain import config_root
from data.errors import Conflict
from serve_app.cluster.haproxy import haproxy
from serve_app.cluster.ray_internals.environment import ON_LOOPBACK, SETTINGS, Ports
from serve_app.cluster.service_processes import MARK, scratch_path
from serve_app.settings import Settings, is_loopback, kept_secret

HELD: list[socket.socket] = []  # ports of ours, for as long as this process lives
REPLICA_PORTS = 100  # for each service, from FIRST_REPLICA_PORT on
FIRST_REPLICA_PORT, LAST_REPLICA_PORT = 30_000, 32_000
SESSIONS_KEPT = 3  # of Ray's folders with logs, the newest
RAY_ENV = "ray.env"
FOR_PEOPLE = (  # what Ray's own commands need to find this service's cluster, and only this
    "RAY_ADDRESS",
    "RAY_API_SERVER_ADDRESS",
    "RAY_DASHBOARD_ADDRESS",
    "RAY_AUTH_MODE",
    "RAY_AUTH_TOKEN_PATH",
    *ON_LOOPBACK,
    "TELLTALE_HOME",
    "TELLTALE_CONFIGS",
)

ALWAYS = {
    **SETTINGS,
    "RAY_AUTH_MODE": "token",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.3",
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "GRADIO_ANALYTICS_ENABLED": "False",
    # One thread a replica: two replicas with two threads each fight over two cores.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


def environment(settings: Settings, scratch: Path) -> dict[str, str]:
    """Call before `import ray`; the ports are held for as long as this process lives."""
    home = settings.home.root.resolve()
    token = home / "ray-token"
    # One that Ray was given is the same on machines that share no home.
    secret = kept_secret(token, os.environ.get("RAY_AUTH_TOKEN") or secrets.token_hex(32))
    dashboard = f"http://127.0.0.1:{_free_port(8265)}"
    loopback = is_loopback(settings.host)
    return {
        **ALWAYS,
        **(ON_LOOPBACK if loopback else {}),
        **haproxy.environment(scratch),
        **_ports(loopback).environment(),
        # A job's `python`, as typed by an admin, is this one.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        # Proxies are for the world outside; Ray's own clients would send it what is for here.
        "NO_PROXY": ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1,localhost"])),
        "TELLTALE_HOME": str(home),
        "TELLTALE_CONFIGS": str(config_root()),
        "TELLTALE_HOST": settings.host,
        "TELLTALE_PORT": str(settings.port),
        "TELLTALE_DOMAINS": ",".join(settings.domains),
        "TELLTALE_CORS_ORIGINS": ",".join(settings.cors_origins),
        # The same on every machine of the service: a replica may run on any of them.
        "TELLTALE_START_TOKEN": hashlib.sha256(f"start {secret}".encode()).hexdigest(),
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_API_SERVER_ADDRESS": dashboard,
        "RAY_DASHBOARD_ADDRESS": dashboard,
    }


def _ports(loopback: bool) -> Ports:
    return Ports(
        # Where other machines may join, at a port that a firewall can name; else at any.
        gcs=0 if loopback else _free_port(6379),
        metrics=_free_port(9101),
        statistics=_free_port(8404),
        fallback_http=_free_port(8500),
        fallback_grpc=_free_port(9500),
        # A replica must not get the port by which another service's HAProxy still knows its own.
        replicas=_free_replica_ports(),
    )


def prepare_environment(settings: Settings) -> None:
    """Makes this process's environment that of the service, for all that it starts; once, since
    the ports stay the same for as long as it lives."""
    os.environ.update(_prepared(settings))


def pod_environment(settings: Settings) -> str:
    """Lines for a shell that starts Ray itself, as a pod of KubeRay's does: what all processes of
    this machine must find. HAProxy's launcher is there, too."""
    # Each machine has a HAProxy that says for whom it asks; replicas answer what one passed on.
    found = _prepared(settings) | {"FORWARDED_ALLOW_IPS": "*"}
    return "\n".join(_exported(found, tuple(found)))


def _prepared(settings: Settings) -> dict[str, str]:
    scratch = scratch_folder(settings)
    _clear(scratch)
    haproxy.write_launcher(
        scratch, settings.names, settings.host, settings.quotas, settings.proxies
    )
    return environment(settings, scratch) | {MARK: str(settings.home.root.resolve())}


def scratch_folder(settings: Settings) -> Path:
    """This service's folder for sockets, HAProxy's files and Ray's sessions, readable by its owner
    only. Raises Conflict."""
    folder = scratch_path(settings.home.root.resolve())
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise Conflict(
            f"{folder} is not a folder of this user's alone; remove it, then start again"
        )
    return folder


def forget_old_sessions(scratch: Path) -> None:
    """Leaves the logs of the newest starts."""
    sessions = sorted(scratch.glob("ray/session_2*"), key=lambda path: path.name)
    for path in sessions[:-SESSIONS_KEPT]:
        shutil.rmtree(path, ignore_errors=True)


def _clear(scratch: Path) -> None:
    """Leaves nothing of HAProxy's: what ran there ended with an earlier start."""
    for path in scratch.iterdir():
        if path.is_dir() and path.name != "ray":
            shutil.rmtree(path, ignore_errors=True)
        elif not path.is_dir():
            path.unlink(missing_ok=True)


def link_logs(settings: Settings, scratch: Path) -> None:
    """`logs` in the home leads to those of the newest start, `ray-targets.json` to Ray's list of
    its nodes for Prometheus."""
    places = {
        "logs": "session_latest/logs",
        "ray-targets.json": "session_latest/prom_metrics_service_discovery.json",
    }
    for name, place in places.items():
        link = settings.home.root / name
        if link.is_symlink() or not link.exists():
            link.unlink(missing_ok=True)
            link.symlink_to(scratch / "ray" / place)


@contextmanager
def ray_env_file(settings: Settings, gcs_address: str) -> Iterator[None]:
    """`ray.env` is there inside the block: `. var/ray.env` lets `ray status`, `serve status` and
    `ray job submit` find this cluster."""
    path = settings.home.root / RAY_ENV
    bin_folder = shlex.quote(str(Path(sys.executable).parent))
    lines = [
        f'export PATH={bin_folder}:"$PATH"',
        *_exported({**os.environ, "RAY_ADDRESS": gcs_address}, FOR_PEOPLE),
    ]
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write("\n".join(lines) + "\n")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _exported(environ: Mapping[str, str], names: Sequence[str]) -> list[str]:
    return [f"export {name}={shlex.quote(environ[name])}" for name in names if name in environ]


def _free_port(wanted: int) -> int:
    """`wanted`, or any free port where another service has it.

    Held without listening, so that a service that starts meanwhile looks elsewhere: only who
    reuses addresses, as Ray and HAProxy do, may have it then.
    """
    for port in (wanted, 0):
        if _hold(port):
            return int(HELD[-1].getsockname()[1])
    raise Conflict("this machine has no free port left")


def _free_replica_ports() -> range:
    """A hundred ports, the one behind which this process holds."""
    for start in range(FIRST_REPLICA_PORT, LAST_REPLICA_PORT, REPLICA_PORTS):
        if _hold(start + REPLICA_PORTS - 1):
            return range(start, start + REPLICA_PORTS - 1)
    raise Conflict("twenty services run on this machine already; there are no ports for another")


def release_ports() -> None:
    """For a process that starts another node once its last has stopped."""
    while HELD:
        HELD.pop().close()


def _hold(port: int) -> bool:
    probe = socket.socket()
    try:
        probe.bind(("127.0.0.1", port))
    except OSError:
        probe.close()
        return False
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    HELD.append(probe)
    return True
