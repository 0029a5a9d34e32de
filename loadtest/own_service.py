"""A service of a measurement's own: started as a person would start it, in a home of its own, and
ended with the measurement, however that ends.

Its processes are those that were started with its TELLTALE_HOME, a folder nobody else has; what
each of them is, its command line tells. No process is ever found by its name alone.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from data.errors import NotReady
from data.home import planned_home
from data.install_paths import CODE
from loadtest.client.clip import tone_in_noise
from loadtest.command import stop_on_signal
from loadtest.machine.processes import PARTS, environment_of, of_home, role, send
from serve_app.cluster.launch import SERVE_YAML, serve_config
from serve_app.settings import Settings

PATIENCE_S = 240.0
STOP_S = 60.0
LOOK_S = 0.2
REQUEST_S = 10.0
SHARED = ("TELLTALE_", "MLFLOW_", "RAY_")


def launched(
    command: Sequence[str], environment: Mapping[str, str], log: Path
) -> "subprocess.Popen[bytes]":
    """In a session of its own."""
    with log.open("wb") as console:
        return subprocess.Popen(
            command,
            env=environment,
            cwd=CODE,
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def wait_until(
    reached: Callable[[], bool], process: "subprocess.Popen[bytes]", log: Path, failure: str
) -> None:
    """Raises NotReady, `failure` and the last words, where it ends instead, or time is up."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        if reached():
            return
        time.sleep(0.05)
    raise NotReady(f"{failure}; its last words:\n{last_words(log)}")


def reached(what: Callable[[], bool], patience_s: float, every_s: float = LOOK_S) -> bool:
    """Whether it came about before patience was over."""
    deadline = time.monotonic() + patience_s
    while not (there := what()) and time.monotonic() < deadline:
        time.sleep(every_s)
    return there


def last_words(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace").strip()[-2000:]


@dataclass
class Service:
    home: Path
    folder: Path  # of what it is started with; its consoles are left there
    port: int
    domain: str
    settings: Mapping[str, str] = field(default_factory=dict)  # more of its environment
    starts: int = 0
    process: "subprocess.Popen[bytes]" = field(init=False)
    url: str = field(init=False)
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        """One client: to make it takes longer than to ask. A connection for each question, since
        the one before may be of a process that is dead."""
        self.url = f"http://127.0.0.1:{self.port}"
        alone: Any = {"limits": httpx.Limits(max_keepalive_connections=0), "trust_env": False}
        self.http = httpx.Client(base_url=self.url, timeout=REQUEST_S, **alone)

    @property
    def key(self) -> str:
        """The admin's."""
        return (self.home / "admin-key").read_text(encoding="utf-8").strip()

    @property
    def log(self) -> Path:
        return self.folder / f"console-{self.starts}.log"

    @property
    def up(self) -> bool:
        return "Telltale is up" in self.log.read_text(encoding="utf-8", errors="replace")

    def start(self, **settings: str) -> None:
        """The same command once more; returns at once."""
        self.starts += 1
        config = str(self.folder / "serve.yaml")
        command = [sys.executable, "-m", "serve_app", "serve", "--config", config]
        # Nothing of a service that runs beside it: a store or a registry would be shared.
        kept = {name: value for name, value in os.environ.items() if not name.startswith(SHARED)}
        own = {
            "TELLTALE_HOME": str(self.home),
            "TELLTALE_PORT": str(self.port),
            "TELLTALE_DOMAINS": self.domain,
        }
        self.process = launched(command, kept | own | dict(self.settings) | settings, self.log)

    def wait_until_up(self) -> None:
        """As `wait_until`."""
        wait_until(lambda: self.up, self.process, self.log, "the service did not start")

    def end(self) -> None:
        """Asked to stop; who is left then, or STOP_S later, is killed, orphans too."""
        with suppress(subprocess.TimeoutExpired):
            self.process.terminate()
            self.process.wait(STOP_S)
        while members := of_home(self.home):
            send(members, signal.SIGKILL)
            self.process.poll()
            time.sleep(LOOK_S)
        self.process.wait()

    def restart(self) -> None:
        """Raises NotReady where it does not come up."""
        self.end()
        self.start()
        self.wait_until_up()

    def refuse_ended(self) -> None:
        """Raises NotReady with the launcher's last words where it has ended."""
        code = self.process.poll()
        if code is not None:
            lines = re.sub(r"\n\s*", "; ", last_words(self.log))[-300:]
            raise NotReady(f"the launcher ended with code {code}: ... {lines}")

    def pids(self, part: str) -> set[int]:
        return {pid for pid in of_home(self.home) if role(pid, PARTS) == part}

    def victims(self, part: str) -> set[int]:
        """Raises NotReady where there is none."""
        if not (found := self.pids(part)):
            raise NotReady(f"no process of this service is a {part}")
        return found

    def variable(self, name: str) -> str:
        """One that the launcher gave to all that it started. Raises NotReady where none has it."""
        for pid in of_home(self.home):
            if value := environment_of(pid, name):
                return value
        raise NotReady(f"no process of this service has {name}")

    def ray(self) -> httpx.Client:
        """For Ray's own view of the service, at its dashboard."""
        token = (self.home / "ray-token").read_text(encoding="utf-8").strip()
        headers = {"Authorization": f"Bearer {token}"}
        url = self.variable("RAY_API_SERVER_ADDRESS")
        return httpx.Client(base_url=url, headers=headers, timeout=REQUEST_S, trust_env=False)

    def scale(self, ray: httpx.Client, least: int, most: int) -> None:
        """Deploys it anew with these bounds; the replicas that run stay. Returns at once."""
        place = planned_home({"TELLTALE_HOME": str(self.home)})
        settings = Settings(place, "127.0.0.1", self.port, (self.domain,), self.key)
        config = serve_config(settings, self.folder / "serve.yaml")
        bound_replicas(config, least, most)
        ray.put("/api/serve/applications/", json=config).raise_for_status()

    def get(self, path: str) -> Any:
        """The JSON at `path`; None where there is no such answer."""
        with suppress(httpx.HTTPError, ValueError):
            return self.request("GET", path).raise_for_status().json()
        return None

    def request(self, method: str, path: str, **content: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.key}"}
        return self.http.request(method, path, headers=headers, **content)

    def status(self) -> dict[str, Any]:
        """The domain's part of /status; empty where there is none."""
        found: dict[str, Any] = (self.get("/status") or {}).get("domains", {})
        return found.get(self.domain) or {}

    def labels(self) -> list[str]:
        found: list[str] = self.get("/domains")["domains"][0]["labels"]
        return found

    def shows(self, path: str) -> bool:
        with suppress(httpx.HTTPError):
            return self.request("GET", path).status_code == 200
        return False

    def predicts(self) -> bool:
        files = {"file": tone_in_noise(0.4, 8000)}
        with suppress(httpx.HTTPError, ValueError):
            answer = self.request("POST", "/predict", files=files)
            return answer.status_code == 200 and answer.json()["domain"] == self.domain
        return False


@contextmanager
def running(service: Service, config: Mapping[str, Any]) -> Iterator[Service]:
    """Up and answering inside the block; behind it nothing of it is left, nor after Ctrl-C or
    SIGTERM. `config` is Serve's. Raises NotReady with its own last words."""
    stop_on_signal()
    (service.folder / "serve.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    service.start()
    try:
        service.wait_until_up()
        yield service
    finally:
        service.end()


@contextmanager
def own_service(
    port: int, config: Mapping[str, Any], domain: str = "faults", left: Path | None = None
) -> Iterator[Service]:
    """`running` in a fresh home; its console and serve.yaml stay in `left`, where that is given."""
    with tempfile.TemporaryDirectory(prefix="telltale-load-", dir="/tmp") as name:
        home = Path(name).resolve() / "home"
        home.mkdir()
        service = Service(home, left.resolve() if left else home.parent, port, domain)
        with running(service, config):
            yield service


def fixed_replicas(replicas: int) -> dict[str, Any]:
    """deploy/serve.yaml with the autoscaler held at one number of replicas."""
    config: dict[str, Any] = yaml.safe_load(SERVE_YAML.read_text(encoding="utf-8"))
    bound_replicas(config, replicas, replicas)
    return config


def bound_replicas(config: Mapping[str, Any], least: int, most: int) -> None:
    """In place, wherever there is an autoscaler."""
    bounds = {"min_replicas": least, "initial_replicas": least, "max_replicas": most}
    for application in config["applications"]:
        for deployment in application.get("deployments", []):
            if "autoscaling_config" in deployment:
                deployment["autoscaling_config"] |= bounds
