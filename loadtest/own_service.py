"""Services that are measured: one that runs somewhere (`Target`), and one of a measurement's own,
started as a person would start it and ended with the measurement, however that ends.

Its processes are those that were started with its TELLTALE_HOME, a folder nobody else has; what
each of them is, its command line tells. No process is ever found by its name alone.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property, reduce
from operator import getitem
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from data.errors import NotReady
from data.home import planned_home
from data.install_paths import CODE
from loadtest.clip import tone_in_noise
from loadtest.command import stop_on_signal
from loadtest.machine import PARTS, Processes, cpu_s, role, running, service_root, use
from serve_app.cluster.launch import SERVE_YAML, serve_config
from serve_app.cluster.service_processes import MARK, end_service, service_processes
from serve_app.settings import DEPLOYMENT, Settings

PATIENCE_S = 240.0
RESIZE_PATIENCE_S = 120.0
STATUS_PATIENCE_S = 15.0  # the curator asks replicas every one to three seconds
STOP_S = 60.0
LOOK_S = 0.2
REQUEST_S = 10.0
SETTLE_S = 8.0  # a service that has just started still makes its spare processes ready
CALM = 0.5  # of a core: Telltale's own bookkeeping stays below
SHARED = ("TELLTALE_", "MLFLOW_", "RAY_")


def reached(what: Callable[[], bool], patience_s: float, every_s: float = LOOK_S) -> bool:
    deadline = time.monotonic() + patience_s
    while not (there := what()) and time.monotonic() < deadline:
        time.sleep(every_s)
    return there


class Target:
    def __init__(self, url: str, domain: str = "", key: str = "") -> None:
        self.url, self.domain, self._key = url.rstrip("/"), domain, key
        # A connection for each question, since the one before may be of a process that is dead.
        once = httpx.Limits(max_keepalive_connections=0)
        self.http = httpx.Client(base_url=url, timeout=REQUEST_S, limits=once, trust_env=False)

    @property
    def key(self) -> str:
        return self._key

    def request(self, method: str, path: str, **content: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        return self.http.request(method, path, headers=headers, **content)

    def get(self, path: str, *keys: str | int) -> Any:
        """What stands below the keys in the JSON at `path`; None where there is no such answer."""
        with suppress(httpx.HTTPError, ValueError, LookupError, TypeError):
            return reduce(getitem, keys, self.request("GET", path).raise_for_status().json())
        return None

    def predicted(self, clip: bytes) -> dict[str, Any]:
        """The answer; empty where there is none."""
        with suppress(httpx.HTTPError, ValueError):
            found = self.request("POST", "/predict", files={"file": clip}).raise_for_status().json()
            # BentoML's batching answers a list for each request.
            return dict(found[0] if isinstance(found, list) else found)
        return {}

    def shows(self, path: str) -> bool:
        with suppress(httpx.HTTPError):
            return self.request("GET", path).status_code == 200
        return False

    def status(self) -> dict[str, Any]:
        """The domain's part of /status; empty where there is none."""
        return self.get("/status", "domains", self.domain) or {}

    def replicas(self) -> tuple[list[int], int]:
        """Process ids of those that serve the domain, by default the first, and of their ancestor.
        Raises ValueError where the status does not name all of them, or they run elsewhere."""
        if not self.domain:
            self.domain = self.request("GET", "/model-info").raise_for_status().json()["domain"]
        found: list[int] = []

        def all_named() -> bool:
            status = self.status()
            found[:] = [row["pid"] for row in status.get("replicas", [])]
            return bool(found) and len(found) == status.get("states", {}).get("RUNNING", len(found))

        if not reached(all_named, STATUS_PATIENCE_S):
            raise ValueError(f"{self.url} names {len(found)} replicas, and others are up")
        roots = [service_root(pid) for pid in found]
        if not all(roots):
            words = f"the replicas of {self.url} do not run on this machine; measure where they run"
            raise ValueError(f"{words}, or bring their times with --times FILE")
        return found, roots[0] or 0


@dataclass
class Started:
    """A program and all that it starts, in a session of its own."""

    home: Path  # in their environment, and in nobody else's
    log: Path
    process: "subprocess.Popen[bytes]" = field(init=False)

    def launch(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        alone: Any = {"cwd": CODE, "stdin": subprocess.DEVNULL, "start_new_session": True}
        own = {**environment, "TELLTALE_HOME": str(self.home), MARK: str(self.home)}
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(command, env=own, stdout=out, stderr=out, **alone)

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def wait_until(self, what: Callable[[], bool], name: str) -> None:
        """Raises NotReady with its last words, where it ends instead, or time is up."""
        if not reached(lambda: self.ended or what(), PATIENCE_S, every_s=0.05) or self.ended:
            raise NotReady(f"{name} did not start; its last words:\n{self.said()[-2000:]}")

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace").strip()

    def members(self) -> Processes:
        return running(service_processes(self.home))

    def calm(self, look_s: float = 0.3) -> None:
        """Waits until what was left to do is done: after a start, a sleep, a client that left."""

        def is_calm() -> bool:
            before = use(self.members())
            time.sleep(look_s)
            return sum(cpu_s(before, use(self.members())).values()) < CALM * look_s

        reached(is_calm, patience_s=20.0, every_s=0.0)

    def end(self) -> None:
        """Asked to stop; who is left then, or STOP_S later, is killed, orphans too."""
        with suppress(subprocess.TimeoutExpired):
            self.process.terminate()
            self.process.wait(STOP_S)
        end_service(self.home)
        self.process.wait()


class Service(Started, Target):
    """`folder` has its configuration, and is left its consoles."""

    def __init__(
        self, home: Path, folder: Path, port: int, domain: str, settings: Mapping[str, str] = {}
    ) -> None:
        Started.__init__(self, home, folder / "console-0.log")
        Target.__init__(self, f"http://127.0.0.1:{port}", domain)
        self.folder, self.port, self.settings, self.starts = folder, port, settings, 0

    @property
    def key(self) -> str:
        return (self.home / "admin-key").read_text(encoding="utf-8").strip()

    @property
    def up(self) -> bool:
        return "Telltale is up" in self.said()

    def start(self, **settings: str) -> None:
        """The same command once more; returns at once."""
        self.__dict__.pop("ray", None)  # its address may be another
        self.starts += 1
        self.log = self.folder / f"console-{self.starts}.log"
        config = str(self.folder / "serve.yaml")
        command = [sys.executable, "-m", "serve_app", "serve", "--config", config]
        # Nothing of a service that runs beside it: a store or a registry would be shared.
        kept = {name: value for name, value in os.environ.items() if not name.startswith(SHARED)}
        own = {"TELLTALE_PORT": str(self.port), "TELLTALE_DOMAINS": self.domain}
        self.launch(command, kept | own | dict(self.settings) | settings)

    def restart(self, **settings: str) -> None:
        self.end()
        self.start(**settings)
        self.wait_until(lambda: self.up, "the service")

    def settle(self) -> None:
        time.sleep(SETTLE_S)
        self.calm(look_s=1.0)

    def pids(self, part: str) -> set[int]:
        return {pid for pid in self.members() if role(pid, PARTS) == part}

    def variable(self, name: str) -> str:
        """One that the launcher gave to all that it started. Raises NotReady where none has it."""
        for process in self.members().values():
            with suppress(psutil.Error):  # it has just ended, or its title covers what it was told
                if value := process.environ().get(name):
                    return str(value)
        raise NotReady(f"no process of this service has {name}")

    @cached_property
    def ray(self) -> Target:
        """Ray's own view of the service, at its dashboard."""
        token = (self.home / "ray-token").read_text(encoding="utf-8").strip()
        return Target(self.variable("RAY_API_SERVER_ADDRESS"), self.domain, token)

    def serve_replicas(self) -> list[dict[str, Any]]:
        """Ray Serve's rows of the replicas, those that are starting or stopping too."""
        keys = ("applications", self.domain, "deployments", DEPLOYMENT, "replicas")
        return self.ray.get("/api/serve/applications/", *keys) or []

    def scale(self, least: int, most: int) -> None:
        """Deploys it anew with these bounds; the replicas that run stay. Returns at once."""
        place = planned_home({"TELLTALE_HOME": str(self.home)})
        settings = Settings(place, "127.0.0.1", self.port, (self.domain,), self.key)
        config = bound(serve_config(settings, self.folder / "serve.yaml"), least, most)
        self.ray.request("PUT", "/api/serve/applications/", json=config).raise_for_status()

    def resize(self, replicas: int) -> None:
        """Fixes their number; returns when so many run and no other does, else raises NotReady."""
        self.scale(replicas, replicas)

        def states() -> list[str]:
            return [row["state"] for row in self.serve_replicas()]

        if not reached(lambda: states() == ["RUNNING"] * replicas, RESIZE_PATIENCE_S):
            words = f"{replicas} replicas did not run within {RESIZE_PATIENCE_S:g} s"
            raise NotReady(f"{words}: {', '.join(states()) or 'none does'}")

    def predicts(self) -> bool:
        return self.predicted(tone_in_noise(0.4, 8000)).get("domain") == self.domain


@contextmanager
def own_service(
    port: int,
    config: Mapping[str, Any],
    domain: str = "faults",
    left: Path | None = None,
    home: Path | None = None,
    settings: Mapping[str, str] = {},
) -> Iterator[Service]:
    """Up and answering inside the block; behind it nothing of it is left, nor after Ctrl-C or
    SIGTERM. `config` is Serve's; in a fresh home and folder, where none are given."""
    stop_on_signal()
    with tempfile.TemporaryDirectory(prefix="telltale-load-", dir="/tmp") as name:
        home, folder = home or Path(name) / "home", (left or Path(name)).resolve()
        home.mkdir(exist_ok=True)
        (folder / "serve.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        service = Service(home.resolve(), folder, port, domain, settings)
        service.start()
        try:
            service.wait_until(lambda: service.up, "the service")
            yield service
        finally:
            service.end()


def shipped() -> dict[str, Any]:
    """deploy/serve.yaml; the launcher keeps of it the domains that it is to serve."""
    config: dict[str, Any] = yaml.safe_load(SERVE_YAML.read_text(encoding="utf-8"))
    return config


def bound(config: dict[str, Any], least: int, most: int) -> dict[str, Any]:
    bounds = {"min_replicas": least, "initial_replicas": least, "max_replicas": most}
    for application in config["applications"]:
        for deployment in application.get("deployments", []):
            if "autoscaling_config" in deployment:
                deployment["autoscaling_config"] |= bounds
    return config
