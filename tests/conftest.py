"""Fixtures that tests share: a real service of its own, started once a session.

Tests under `tests/cluster` talk to that service over HTTP, as everybody else does.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from data.home import home_from_env
from data.sources import dataset_root
from data.store import Store

# What a shell has exported is for its service; tests that need a setting make it themselves.
for name in set(os.environ) - {"TELLTALE_DATASETS"}:
    if name.startswith("TELLTALE_") or name == "MLFLOW_TRACKING_URI":
        del os.environ[name]

PATIENCE_S = 240
CLUSTER = Path(__file__).parent / "cluster"
OWN_SERVICE = ("test_sixth_domain.py", "test_beside.py", "test_recovery.py", "test_chaos_quick.py")


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Markers follow from where a test lives; the cluster's tests come last, and of those the ones
    with a service of their own first: beside the session's they would only wait for each other."""
    for item in items:
        if CLUSTER in item.path.parents:
            item.add_marker("cluster")
    items.sort(key=lambda item: (CLUSTER in item.path.parents, item.path.name not in OWN_SERVICE))


@pytest.fixture(scope="session")
def datasets() -> Path:
    root = dataset_root()
    if root is None:
        pytest.skip("needs the data sets: set TELLTALE_DATASETS to the folder that holds them")
    return root


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("home")
    with started(home, TELLTALE_DOMAINS="faults,keywords") as running:
        _wait_until_registered(running)
        yield running


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


@pytest.fixture(scope="session")
def admin(service: Service) -> Iterator[httpx.Client]:
    with service.client(service.admin_key) as client:
        yield client


@pytest.fixture(scope="session")
def anybody(service: Service) -> Iterator[httpx.Client]:
    with service.client() as client:
        yield client


def finished(client: httpx.Client, run_id: str, patience_s: float) -> dict[str, Any]:
    """A retrain of `keywords`, once it has ended."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        run: dict[str, Any] = client.get(f"/keywords/retrain/{run_id}").json()
        if run["finished"]:
            return run
        time.sleep(0.2)
    raise AssertionError(f"run {run_id} did not end within {patience_s} s")


def _wait_until_up(process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        if "Telltale is up" in log.read_text(encoding="utf-8"):
            return
        time.sleep(0.2)
    raise AssertionError(f"the service did not start:\n{log.read_text(encoding='utf-8')}")


def _wait_until_registered(service: Service) -> None:
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


@pytest.fixture
def found_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The store that commands find: of a TELLTALE_HOME of its own, on a machine without data."""
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TELLTALE_DATASETS", str(tmp_path / "none"))
    where = home_from_env()
    store = Store.open(where.database_url, where.storage_uri)
    yield store
    store.close()
