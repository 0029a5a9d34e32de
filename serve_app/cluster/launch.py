"""Starts Ray and everything deploy/serve.yaml names, waits until it answers, and watches over it.

Runs as the child of `supervisor.py`, which starts it anew when it ends. Ray's processes are
children of this one: ending it ends them, and nothing else on the machine.
"""

import argparse
import copy
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from data.errors import Conflict, NotReady, TelltaleError
from data.install_paths import FILES
from models.registry.opened import open_registry
from serve_app.cluster.cluster_file import announced
from serve_app.cluster.haproxy.haproxy_check import checking
from serve_app.cluster.haproxy.second_haproxy import stand_in
from serve_app.cluster.parent_death import die_with
from serve_app.cluster.ray_environment import (
    RAY_ENV,
    forget_old_sessions,
    link_logs,
    ray_env_file,
    scratch_folder,
)
from serve_app.cluster.ray_internals.applications import applications, deploy
from serve_app.cluster.ray_node import Lost, NoNode, ray_node, watcher
from serve_app.cluster.service_processes import stop_when_asked
from serve_app.cluster.supervisor import TRY_AGAIN, UP
from serve_app.cluster.traces import tracing_config
from serve_app.settings import START_HEADER, Settings, is_loopback, settings_from_env

SERVE_YAML = FILES / "deploy" / "serve.yaml"
SHARED = {"guests", "applications"}  # arguments that say which domains share replicas
PATIENCE_S = 180
BARE_PATIENCE_S = 20  # for domains that may have no model, once all the others could be served
WATCH_EVERY_S = 0.5


def main() -> int:
    """Serves until it is stopped (exit code 0), or until something is gone for good (1)."""
    parser = argparse.ArgumentParser(prog="python -m serve_app.cluster.launch")
    parser.add_argument("--config", type=Path, default=SERVE_YAML)
    parser.add_argument("--up", type=int, required=True, help="file descriptor to write to once up")
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--again", action="store_true", help="after one that has served")
    arguments = parser.parse_args()
    os.set_inheritable(arguments.up, False)
    die_with(arguments.parent)
    stop_when_asked()
    try:
        settings = settings_from_env()
        refuse_unknown_versions(settings)
        tracing_config(settings.traces)  # refused before Ray is started
        with running(settings, say, arguments.config, again=arguments.again) as watch:
            os.write(arguments.up, UP)
            print(greeting(settings), flush=True)
            watch()
    except KeyboardInterrupt:
        return 0
    except TelltaleError as error:
        print(f"telltale: {error}", file=sys.stderr, flush=True)
        return TRY_AGAIN if isinstance(error, NoNode) else 1
    except Exception as error:  # Ray's own; where it comes from is in its logs
        words = _last_line(str(error)) or type(error).__name__
        print(f"telltale: Ray failed: {words}", file=sys.stderr, flush=True)
    return 1


def say(text: str) -> None:
    print(f"  {text}", flush=True)


def greeting(settings: Settings) -> str:
    """The key is shown to a person, not to whatever keeps the output: a log is read by many."""
    page = f"{settings.url}/ui"
    if sys.stdout.isatty():
        page += f"?key={settings.admin_key}"
    else:
        page += f"  (the admin's key: {settings.home.root / 'admin-key'})"
    lines = [
        f"\nTelltale is up, serving {', '.join(settings.domains)}.",
        f"  page  {page}",
        f"  API   {settings.url}/docs",
        f"  try   curl -F file=@clip.wav {settings.url}/predict",
        f"  Ray   {os.environ['RAY_API_SERVER_ADDRESS']}, for commands: . {_ray_env(settings)}",
    ]
    pinned = ", ".join(f"{name} to version {number}" for name, number in settings.pinned.items())
    lines += [f"  pinned  {pinned}, by TELLTALE_MODEL_VERSION"] if pinned else []
    lines.append(f"  MLflow  {mlflow_command(settings.home.tracking_uri)}")
    if not is_loopback(settings.host):
        there = os.environ["RAY_ADDRESS"]
        lines.append(f"  join  telltale join {there} (deploy/cluster.md)")
    if not settings.names:
        lines.append("  names  any is answered; TELLTALE_ALLOWED_HOSTS says yours (SECURITY.md)")
    return "\n".join([*lines, "  stop  Ctrl-C"])


def mlflow_command(tracking_uri: str) -> str:
    """How to look at the registry; of a database its address may hold a password."""
    if tracking_uri.startswith("http"):
        return tracking_uri
    local = tracking_uri if tracking_uri.startswith("sqlite") else '"$MLFLOW_TRACKING_URI"'
    return f"mlflow ui --port 5000 --backend-store-uri {local}"


@contextmanager
def running(
    settings: Settings,
    say: Callable[[str], None],
    config: Path = SERVE_YAML,
    *,
    again: bool = False,
) -> Iterator[Callable[[], None]]:
    """Ray and Serve up and answering inside the block; stopped behind it. Gives a function that
    watches until something is gone that does not come back by itself, and then raises Lost. `again`
    is a start after another: it keeps what it can."""
    refuse_taken_port(settings)
    wanted = serve_config(settings, config)
    scratch = scratch_folder(settings)
    forget_old_sessions(scratch)
    with ExitStack() as stack:
        say("starting Ray")
        link_logs(settings, scratch)
        stack.enter_context(stand_in(scratch))
        refuse_unguarded = stack.enter_context(checking(scratch, settings.host, settings.port))
        head = stack.enter_context(ray_node(head=True, **_head_parameters(settings, scratch)))
        refuse_unguarded()
        say(f"deploying {', '.join(settings.domains)}")
        deploy(wanted)
        stack.enter_context(announced(settings, head.gcs_address))
        stack.enter_context(ray_env_file(settings, head.gcs_address))
        os.environ["RAY_ADDRESS"] = head.gcs_address
        look = watcher(head, say)
        try:
            wait_until_ready(settings, say, look)
        except NotReady as trouble:
            if isinstance(trouble, Lost) or not again:
                raise
            say(f"not everything is back: {trouble}")  # what is serves, and the rest may follow

        def watch() -> None:
            while True:
                look()
                time.sleep(WATCH_EVERY_S)

        yield watch


def _head_parameters(settings: Settings, scratch: Path) -> dict[str, Any]:
    return {
        "resources": {"train": 2},
        "include_dashboard": True,
        "dashboard_host": "127.0.0.1",
        "dashboard_port": int(os.environ["RAY_API_SERVER_ADDRESS"].rpartition(":")[2]),
        "temp_dir": str(scratch / "ray"),
        **({"node_ip_address": "127.0.0.1"} if is_loopback(settings.host) else {}),
    }


def serve_config(settings: Settings, path: Path = SERVE_YAML) -> dict[str, Any]:
    """deploy/serve.yaml with the domains that are asked for; the first is served at `/`."""
    config: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    config["http_options"] = {"host": settings.host, "port": settings.port}
    config["logging_config"] = {**config.get("logging_config", {}), **logging_config(settings)}
    config |= tracing_config(settings.traces)
    listed = {app["name"]: app for app in config["applications"]}
    pattern = next(app for app in config["applications"] if "domain" in app.get("args", {}))
    applications = [app for app in config["applications"] if "domain" not in app.get("args", {})]
    if any(app.get("args", {}).keys() & SHARED for app in config["applications"]):
        raise Conflict(
            f"{path} says {' or '.join(sorted(SHARED))}, which TELLTALE_SHARED_REPLICAS alone sets"
        )
    listed["ui"]["args"] = {**listed["ui"].get("args", {}), "api_url": settings.url}
    domains = [
        _of_domain(listed.get(name, pattern), name, "/" if number == 0 else f"/{name}")
        for number, name in enumerate(settings.domains)
    ]
    if settings.shared_replicas:
        first, *others = domains
        domains = [_with_guests(first, others)]
        elsewhere = dict.fromkeys((app["name"] for app in others), first["name"])
        curator = listed["curator"]
        curator["args"] = {**curator.get("args", {}), "applications": elsewhere}
    return {**config, "applications": [*applications, *domains]}


def _of_domain(app: dict[str, Any], name: str, prefix: str) -> dict[str, Any]:
    app = copy.deepcopy(app)
    args = {**app.get("args", {}), "domain": name}
    return {**app, "name": name, "route_prefix": prefix, "args": args}


def _with_guests(first: dict[str, Any], others: list[dict[str, Any]]) -> dict[str, Any]:
    """One application for all. Raises Conflict where they are to run otherwise."""
    for app in others:
        as_first = _of_domain(first, app["name"], app["route_prefix"])
        if app != as_first:
            raise Conflict(
                f"TELLTALE_SHARED_REPLICAS runs {first['name']} and {app['name']} alike, but the "
                "configuration sets them up differently; leave one of the two out"
            )
    guests = [app["name"] for app in others]
    return {**first, "args": {**first["args"], "guests": guests}}


def logging_config(settings: Settings) -> dict[str, Any]:
    """Serve's access log is of level INFO."""
    level = settings.log_level or ("INFO" if settings.access_log else "")
    access = {"enable_access_log": True} if settings.access_log else {}
    return access | ({"log_level": level} if level else {})


def wait_until_ready(
    settings: Settings, say: Callable[[str], None], look: Callable[[], None] = lambda: None
) -> None:
    """Raises NotReady with Serve's own words when an application fails or time is up; `look` is
    called meanwhile, and may raise."""
    said: set[str] = set()
    followed: dict[str, str] = {}
    deadline = time.monotonic() + PATIENCE_S
    bare_deadline = deadline
    while time.monotonic() < deadline:
        look()
        for name, (status, message) in applications().items():
            if status == "DEPLOY_FAILED":
                raise NotReady(f"{name} could not be started: {_last_line(message)}")
            if status == "RUNNING" and name not in said:
                said.add(name)
                say(f"{name} is up")
        states = _readiness(settings)
        if "ui" in said and states and "no replica" not in states.values():
            bare = {name: state for name, state in states.items() if state != "warm"}
            bare_deadline = min(bare_deadline, time.monotonic() + BARE_PATIENCE_S)
            if bare.keys() <= followed.keys() or time.monotonic() > bare_deadline:
                for name, state in bare.items():
                    train = f"{state}; train it: telltale retrain {name} --mode full"
                    say(f"{name}: {followed.get(name) or train}")
                return
            followed = _followed(settings)  # and then one more look: it may be just loading
        time.sleep(0.2)
    raise NotReady(
        f"the service did not come up within {PATIENCE_S} s; see the logs in TELLTALE_HOME"
    )


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
    """Domain -> warm, or why not; empty while nothing answers, or another service does: only ours
    knows the token of this start."""
    head = {START_HEADER: settings.start_token}
    try:
        body = httpx.get(f"{settings.url}/ready", headers=head, timeout=5, trust_env=False).json()
        found: dict[str, str] = body["domains"] if body["yours"] is True else {}
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return {}
    return found


def refuse_unknown_versions(settings: Settings) -> None:
    """Of TELLTALE_MODEL_VERSION; the registry takes seconds to open, so only where it is set."""
    if settings.pinned:
        open_registry(settings.home, settings.domains, settings.pinned)


def refuse_taken_port(settings: Settings) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError:
            raise Conflict(
                f"port {settings.port} is taken; stop what uses it, or choose another "
                "with TELLTALE_PORT"
            ) from None


def _last_line(message: str) -> str:
    """Ray's messages hold whole tracebacks, whose last line says what was wrong."""
    return (message.strip().splitlines() or [""])[-1].strip(" .")


def _ray_env(settings: Settings) -> Path:
    path = settings.home.root / RAY_ENV
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


if __name__ == "__main__":
    sys.exit(main())
