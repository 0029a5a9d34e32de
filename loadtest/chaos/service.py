"""The service that is disturbed: started, found in /proc by its home, started again, ended.

Its processes are those that were started with its TELLTALE_HOME, a folder nobody else has; what
each of them is, its command line tells. No process is ever found by its name alone.
"""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from data.domains.domain import config_root
from data.errors import NotReady
from loadtest.client.clip import tone_in_noise
from loadtest.machine.family import of_home
from loadtest.machine.processes import Roles, role
from loadtest.own_service import (
    admin_key,
    fixed_replicas,
    is_up,
    last_words,
    launched,
    wait_until_up,
)

STOP_S = 30.0
LOOK_S = 0.2
REQUEST_S = 10.0
FULL_EPOCHS = 3  # enough for a worker to be killed in

# What a process is, by what stands in its command line; the first that fits.
PARTS: Roles = {
    "curator": ("ServeReplica:curator:",),
    "page": ("ServeReplica:ui:",),
    "replica": ("ServeReplica:",),
    "controller": ("ray::ServeController",),
    "haproxy-manager": ("ray::HAProxyManager",),
    "proxy": ("ray::ProxyActor",),
    "haproxy": ("/haproxy -",),
    "raylet": ("/raylet/raylet ",),
    "gcs": ("/gcs/gcs_server ",),
    "dashboard": ("/dashboard/dashboard.py",),
    "dashboard-agent": ("ray::DashboardAgent",),
    "runtime-env-agent": ("ray::RuntimeEnvAgent",),
    "train-worker": ("RayTrainWorker",),
    "trainer": ("training.retrain",),
    "launcher": ("-m serve_app",),
}


@dataclass
class Service:
    home: Path
    folder: Path  # of what it is started with; its consoles are left there
    port: int
    domain: str
    replicas: int
    settings: Mapping[str, str]
    starts: int = 0
    process: "subprocess.Popen[bytes]" = field(init=False)
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        """One client: to make it takes longer than to ask. A connection for each question, since
        the one before may be of a process that is dead."""
        limits = httpx.Limits(max_keepalive_connections=0)
        self.http = httpx.Client(
            base_url=self.url, timeout=REQUEST_S, trust_env=False, limits=limits
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def key(self) -> str:
        return admin_key(self.home)

    @property
    def log(self) -> Path:
        return self.folder / f"console-{self.starts}.log"

    @property
    def up(self) -> bool:
        return is_up(self.log)

    def start(self, **settings: str) -> None:
        """The same command once more; returns at once."""
        self.starts += 1
        self.process = launched(
            self.home,
            self.folder / "serve.yaml",
            self.port,
            self.domain,
            self.log,
            **self.settings,
            **settings,
        )

    def wait_until_up(self) -> None:
        wait_until_up(self.process, self.log)

    def end(self) -> None:
        """Asked to stop; who is left then, or STOP_S later, is killed, orphans too."""
        with suppress(subprocess.TimeoutExpired):
            self.process.terminate()
            self.process.wait(STOP_S)
        while members := of_home(self.home):
            for pid in members:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
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

    def asked(self, path: str) -> Any:
        """The JSON at `path`; None where there is no such answer."""
        with suppress(httpx.HTTPError, ValueError):
            return self._answer("GET", path).raise_for_status().json()
        return None

    def told(self, path: str, body: Mapping[str, str]) -> httpx.Response:
        return self._answer("POST", path, json=body)

    def status(self) -> dict[str, Any]:
        """What /status says of the domain; empty where it says nothing."""
        found: dict[str, Any] = (self.asked("/status") or {}).get("domains", {})
        return found.get(self.domain) or {}

    def labels(self) -> list[str]:
        found: list[str] = self.asked("/domains")["domains"][0]["labels"]
        return found

    def shows(self, path: str) -> bool:
        with suppress(httpx.HTTPError):
            return self._answer("GET", path).status_code == 200
        return False

    def predicts(self) -> bool:
        clip = tone_in_noise(0.4, 8000)
        with suppress(httpx.HTTPError, ValueError):
            answer = self._answer("POST", "/predict", files={"file": clip})
            return answer.status_code == 200 and answer.json()["domain"] == self.domain
        return False

    def _answer(self, method: str, path: str, **content: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.key}"}
        return self.http.request(method, path, headers=headers, **content)


@contextmanager
def serving(
    folder: Path, home: Path, port: int, domain: str, replicas: int, **settings: str
) -> Iterator[Service]:
    """Up inside the block, behind it nothing is left. Raises NotReady with its own last words."""
    (folder / "serve.yaml").write_text(fixed_replicas(replicas), encoding="utf-8")
    own = {"TELLTALE_CONFIGS": str(_calm(domain, folder / "configs")), **settings}
    service = Service(home.resolve(), folder, port, domain, replicas, own)
    service.start()
    try:
        service.wait_until_up()
        yield service
    finally:
        service.end()


def _calm(domain: str, folder: Path) -> Path:
    """The domain as shipped, but nothing is retrained that was not asked for, and that is short."""
    folder.mkdir()
    shipped = yaml.safe_load((config_root() / f"{domain}.yaml").read_text(encoding="utf-8"))
    shipped["triggers"] = {"new_clips": None, "every_h": None}
    shipped["training"]["epochs"] = FULL_EPOCHS
    (folder / f"{domain}.yaml").write_text(yaml.safe_dump(shipped), encoding="utf-8")
    return folder
