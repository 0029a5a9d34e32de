"""A real service for tests: `python -m serve_app` with a home of its own, as a person starts it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from serve_app.cluster.service_processes import service_processes
from support.inputs.sounds import tone

PATIENCE_S = 240


@dataclass(frozen=True)
class Service:
    """A running Telltale. `client()` gives an HTTP client with the admin's key, or none."""

    url: str
    home: Path
    admin_key: str
    environment: dict[str, str]

    def client(self, key: str | None = None) -> httpx.Client:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60)


@contextmanager
def started(home: Path, **settings: str) -> Iterator[Service]:
    """`python -m serve_app` with a home of its own, stopped by Ctrl-C as a person would."""
    port = free_port()
    own = {"TELLTALE_HOME": str(home), "TELLTALE_PORT": str(port)}
    environment = os.environ | own | settings
    log = home / "console.log"
    with log.open("w") as console:
        process = subprocess.Popen(
            [sys.executable, "-m", "serve_app"],
            env=environment,
            stdout=console,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_up(process, log)
        key = (home / "admin-key").read_text(encoding="utf-8").strip()
        yield Service(f"http://127.0.0.1:{port}", home, key, environment)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def finished(client: httpx.Client, run_id: str, patience_s: float) -> dict[str, Any]:
    """A retrain of `keywords`, once it has ended; a part that is restarting is asked again."""
    deadline, said = time.monotonic() + patience_s, ""
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            answer = client.get(f"/keywords/retrain/{run_id}")
            said = answer.text
            if answer.status_code == 200 and answer.json()["finished"]:
                return dict(answer.json())
        time.sleep(0.2)
    raise AssertionError(f"run {run_id} did not end within {patience_s} s: {said}")


def _wait_until_up(process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        if "Telltale is up" in log.read_text(encoding="utf-8"):
            return
        time.sleep(0.2)
    raise AssertionError(f"the service did not start:\n{log.read_text(encoding='utf-8')}")


def wait_until_registered(service: Service) -> None:
    """Shipped models answer at once; their numbers come from the registry moments later."""
    deadline = time.monotonic() + PATIENCE_S
    with service.client() as client:
        while not all(found["agree"] for found in client.get("/status").json()["domains"].values()):
            assert time.monotonic() < deadline, client.get("/status").text
            time.sleep(0.2)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def titles(service: Service) -> dict[int, str]:
    """pid -> what `ps` shows, of this service's processes alone."""
    found = {}
    for pid in service_processes(service.home.resolve()):
        with suppress(OSError):
            raw = Path(f"/proc/{pid}/cmdline").read_bytes()
            found[pid] = raw.replace(b"\0", b" ").decode(errors="replace")
    return found


def process(service: Service, title: str) -> int:
    """The one that is so called; an HAProxy that reloads is two for a moment."""
    deadline = time.monotonic() + PATIENCE_S
    while len(found := [pid for pid, shown in titles(service).items() if title in shown]) != 1:
        assert time.monotonic() < deadline, f"{title} runs {len(found)} times"
        time.sleep(0.2)
    return found[0]


def serves_again(service: Service) -> None:
    deadline = time.monotonic() + PATIENCE_S
    with service.client() as client:
        while time.monotonic() < deadline:
            with suppress(httpx.HTTPError, KeyError):
                ready = client.get("/ready").status_code == 200
                known = client.get("/status").json()["curator"] == "ok"
                if ready and known:
                    client.post("/predict", files={"file": tone()}).raise_for_status()
                    return
            time.sleep(0.5)
    raise AssertionError("it did not serve again")


def ordered(admin: httpx.Client, order: dict[str, object]) -> bool:
    """Whether a retrain of `keywords` could be ordered."""
    return admin.post("/keywords/retrain", json=order).status_code == 202
