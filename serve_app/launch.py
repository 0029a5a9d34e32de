"""Starts Ray and everything deploy/serve.yaml names, waits until it answers, stops it again.

Ray's processes are children of this one: ending it ends them, and nothing else on the machine.
"""

import copy
import os
import secrets
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from data.domain import config_root
from data.errors import Conflict, NotReady
from serve_app import haproxy
from serve_app.cluster import announced
from serve_app.node import ray_node
from serve_app.settings import Settings, is_loopback, kept_secret

SERVE_YAML = Path(__file__).resolve().parent.parent / "deploy" / "serve.yaml"
PATIENCE_S = 180
BARE_PATIENCE_S = 20  # for domains that may have no model, once all the others could be served
HELD: list[socket.socket] = []  # ports of ours, for as long as this process lives

# Read by Ray when its processes start. Figures: ARCHITECTURE.md, decisions.
RAY_ENVIRONMENT = {
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_SERVE_HAPROXY_NBTHREAD": "1",
    "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
    **haproxy.ENVIRONMENT,
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "5",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.3",
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    # Ray would run replicas at nice 15, behind everything else on the machine, training included.
    "RAY_worker_niceness": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_metrics_report_interval_ms": "5000",
    "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.5",
    # Workers that stand by import what a replica needs: serve_app/spares.py.
    "RAY_preload_python_modules": "serve_app.preload",
    # Ray's own idle workers, one a core, would be taken before those, and have imported nothing.
    "RAY_prestart_worker_first_driver": "0",
    "GRADIO_ANALYTICS_ENABLED": "False",
    # One thread a replica: two replicas with two threads each fight over two cores.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


def environment(settings: Settings, scratch: str) -> dict[str, str]:
    """What Ray's processes must see; call before `import ray`."""
    home = settings.home.root.resolve()
    token = home / "ray-token"
    kept_secret(token, secrets.token_hex(32))
    port = _free_port(8265)
    return {
        **RAY_ENVIRONMENT,
        # Proxies are for the world outside; Ray's own clients would send it what is for here.
        "NO_PROXY": ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1,localhost"])),
        "TELLTALE_HOME": str(home),
        "TELLTALE_CONFIGS": str(config_root()),
        "TELLTALE_HOST": settings.host,
        "TELLTALE_PORT": str(settings.port),
        "TELLTALE_DOMAINS": ",".join(settings.domains),
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{port}",
        "RAY_SERVE_HAPROXY_BINARY_PATH": f"{scratch}/{haproxy.LAUNCHER}",
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": f"{scratch}/haproxy.cfg",
        "RAY_SERVE_HAPROXY_SOCKET_PATH": f"{scratch}/admin.sock",
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": scratch,
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": f"{scratch}/server-state",
        "RAY_SERVE_HAPROXY_MAXCONN": str(haproxy.connections()),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(_free_port(9101)),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(_free_port(8404)),
        # Where other machines may join, at a port that a firewall can name; else at any.
        "RAY_GCS_SERVER_PORT": "0" if is_loopback(settings.host) else str(_free_port(6379)),
    }


@contextmanager
def running(
    settings: Settings, say: Callable[[str], None], config: Path = SERVE_YAML
) -> Iterator[None]:
    """Ray and Serve up and answering inside the block; stopped behind it."""
    _refuse_taken_port(settings)
    # HAProxy's control socket goes below it, and a socket's path has at most 97 characters.
    with tempfile.TemporaryDirectory(prefix="telltale-", dir="/tmp") as scratch:
        haproxy.write_launcher(Path(scratch), settings.names)
        os.environ.update(environment(settings, scratch))
        with _ray(settings, say, config):
            wait_until_ready(settings, say)
            yield


@contextmanager
def _ray(settings: Settings, say: Callable[[str], None], config: Path) -> Iterator[None]:
    import ray
    from ray.dashboard.modules.serve.sdk import ServeSubmissionClient

    say("starting Ray")
    with ray_node(
        head=True,
        resources={"train": 2},
        include_dashboard=True,
        dashboard_host="127.0.0.1",
        dashboard_port=int(os.environ["RAY_API_SERVER_ADDRESS"].rpartition(":")[2]),
    ) as head:
        ray.init(head.gcs_address, log_to_driver=False, logging_level="warning")
        try:
            say(f"deploying {', '.join(settings.domains)}")
            ServeSubmissionClient(os.environ["RAY_API_SERVER_ADDRESS"]).deploy_applications(
                serve_config(settings, config)
            )
            with announced(settings, head.gcs_address):
                yield
        finally:
            say("stopping")
            ray.shutdown()


def serve_config(settings: Settings, path: Path = SERVE_YAML) -> dict[str, Any]:
    """deploy/serve.yaml with the domains that are asked for; the first is served at `/`."""
    config: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    config["http_options"] = {"host": settings.host, "port": settings.port}
    listed = {app["name"]: app for app in config["applications"]}
    pattern = next(app for app in config["applications"] if "domain" in app.get("args", {}))
    applications = [app for app in config["applications"] if "domain" not in app.get("args", {})]
    listed["ui"]["args"] = {"api_url": settings.url}
    for number, name in enumerate(settings.domains):
        app = copy.deepcopy(listed.get(name, pattern))
        prefix = "/" if number == 0 else f"/{name}"
        args = {**app.get("args", {}), "domain": name}
        applications.append({**app, "name": name, "route_prefix": prefix, "args": args})
    return {**config, "applications": applications}


def wait_until_ready(settings: Settings, say: Callable[[str], None]) -> None:
    """Raises NotReady with Serve's own words when an application fails or time is up."""
    from ray import serve

    said: set[str] = set()
    followed: dict[str, str] = {}
    deadline = time.monotonic() + PATIENCE_S
    bare_deadline = deadline
    while time.monotonic() < deadline:
        for name, app in serve.status().applications.items():
            if app.status == "DEPLOY_FAILED":
                raise NotReady(f"{name} could not be started: {app.message.strip()}")
            if app.status == "RUNNING" and name not in said:
                said.add(name)
                say(f"{name} is up")
        states = _readiness(settings)
        if "ui" in said and states and "no replica" not in states.values():
            bare = {name: state for name, state in states.items() if state != "warm"}
            bare_deadline = min(bare_deadline, time.monotonic() + BARE_PATIENCE_S)
            if bare.keys() <= followed.keys() or time.monotonic() > bare_deadline:
                for name, state in bare.items():
                    train = f"{state}; train it: python -m training.retrain {name} --mode full"
                    say(f"{name}: {followed.get(name) or train}")
                return
            followed = _followed(settings)  # and then one more look: it may be just loading
        time.sleep(0.2)
    raise NotReady(f"the service did not come up within {PATIENCE_S} s; see Ray's logs")


def _followed(settings: Settings) -> dict[str, str]:
    """The domains whose champion, if there is one, the curator has told their replicas, each with
    why a replica could not load it, if so."""
    try:
        body = httpx.get(f"{settings.url}/status", timeout=5, trust_env=False).json()
        known = body["domains"] if body["curator"] == "ok" else {}
        return {
            name: next(filter(None, (one["load_error"] for one in row["replicas"])), "")
            for name, row in known.items()
            if row["replicas"]
        }
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return {}


def _readiness(settings: Settings) -> dict[str, str]:
    """Domain -> warm, or why not; empty while nothing answers."""
    try:
        body = httpx.get(f"{settings.url}/ready", timeout=5, trust_env=False).json()
        found: dict[str, str] = body["domains"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return {}
    return found


def _refuse_taken_port(settings: Settings) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError:
            raise Conflict(
                f"port {settings.port} is taken; stop what uses it, or choose another "
                "with TELLTALE_PORT"
            ) from None


def _free_port(wanted: int) -> int:
    """`wanted`, or any free port where another service has it.

    Held without listening, so that a service that starts meanwhile looks elsewhere: only who
    reuses addresses, as Ray and HAProxy do, may have it then.
    """
    for port in (wanted, 0):
        probe = socket.socket()
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            probe.close()
            continue
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        HELD.append(probe)
        return int(probe.getsockname()[1])
    raise Conflict("this machine has no free port left")
