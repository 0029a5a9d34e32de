"""A service of its own, whose parts are killed: it comes back by itself, and nobody else hears it.

Its ports are looked at too, and what an admin types with Ray's own commands.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pytest

from data.domains.domain import load_domains
from data.home import home_from_env
from data.store.store import Store
from serve_app.cluster.service_processes import service_processes
from support.inputs.sounds import tone
from support.inputs.toy_dataset import toy_dataset
from support.service import Service, finished, started

PATIENCE_S = 150


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with started(tmp_path_factory.mktemp("own"), TELLTALE_DOMAINS="keywords") as service:
        yield service


def titles(service: Service) -> dict[int, str]:
    """pid -> what `ps` shows, of this service's processes alone."""
    found = {}
    for pid in service_processes(service.home.resolve()):
        with suppress(OSError):
            raw = Path(f"/proc/{pid}/cmdline").read_bytes()
            found[pid] = raw.replace(b"\0", b" ").decode(errors="replace")
    return found


def process(service: Service, title: str) -> int:
    (pid,) = [pid for pid, shown in titles(service).items() if title in shown]
    return pid


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


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def test_nobody_on_other_machines_can_reach_anything(own: Service) -> None:
    ours = set(service_processes(own.home.resolve()))
    shown = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=True).stdout
    open_to_all = [
        line
        for line in shown.splitlines()
        if ours & {int(pid) for pid in re.findall(r"pid=(\d+)", line)}
        and not re.search(r"^\S+\s+\S+\s+\S+\s+(\[::ffff:)?127\.0\.0\.1\]?:", line)
    ]
    assert "127.0.0.1" in shown
    assert open_to_all == []


def test_rays_own_commands_work_as_an_admin_types_them(own: Service, tmp_path: Path) -> None:
    def typed(line: str) -> str:
        kept = ("HOME", "PATH", "PYTHONPATH")
        bare = {name: os.environ[name] for name in kept if name in os.environ}
        found = subprocess.run(
            ["bash", "-c", f". {own.home}/ray.env && {line}"],
            capture_output=True,
            text=True,
            env=bare,
            cwd=tmp_path,
            timeout=PATIENCE_S,
        )
        assert found.returncode == 0, found.stdout + found.stderr
        return found.stdout

    assert "Active:" in typed("ray status")
    assert "keywords" in typed("serve status")
    with own.client(own.admin_key) as admin:
        sent = admin.post("/feedback", files={"file": tone()}, data={"label": "nine"})
        sent.raise_for_status()
        said = typed("ray job submit -- python -m training.retrain keywords --mode teach")
        assert "succeeded" in said.lower()
        assert "training.retrain keywords" in typed("ray job list")
        run = admin.get("/retrain").json()["runs"][0]
        assert finished(admin, run["id"], 5)["state"] == "succeeded"


@pytest.mark.parametrize("title", ["-db -f", "ray::HAProxyManager"])
def test_without_haproxy_or_its_manager_answers_go_on(own: Service, title: str) -> None:
    victim = process(own, title)
    with own.client() as client:
        client.post("/predict", files={"file": tone()}).raise_for_status()
        os.kill(victim, signal.SIGKILL)
        answered = 0
        until = time.monotonic() + 3
        while time.monotonic() < until:
            with suppress(httpx.TransportError):  # those under way when it died
                answered += client.post("/predict", files={"file": tone()}).status_code == 200
        assert answered > 3
    wait_for(lambda: any("ray::HAProxyManager" in shown for shown in titles(own).values()))
    wait_for(lambda: any("haproxy.cfg" in shown for shown in titles(own).values()))
    serves_again(own)


@pytest.mark.deploy
@pytest.mark.parametrize(
    "title", ["gcs_server", "ray::RuntimeEnvAgent", "serve_app.cluster.launch"]
)
def test_a_cluster_that_has_lost_a_part_comes_back_by_itself(own: Service, title: str) -> None:
    def console() -> str:
        return (own.home / "console.log").read_text("utf-8")

    ups, starts = (console().count(words) for words in ("Telltale is up", "starting it anew"))
    os.kill(process(own, title), signal.SIGKILL)
    wait_for(lambda: console().count("Telltale is up") > ups)
    assert console().count("starting it anew") == starts + 1
    serves_again(own)
    assert "Traceback" not in console()
    assert own.admin_key not in console()


@pytest.mark.deploy
def test_a_full_retrain_goes_on_when_its_cluster_has_lost_its_head(tmp_path: Path) -> None:
    domain = load_domains(names=("keywords",))["keywords"]
    root = toy_dataset(tmp_path / "datasets", domain)
    own = {"TELLTALE_DOMAINS": "keywords", "TELLTALE_DATASETS": str(root)}
    (tmp_path / "home").mkdir()
    with started(tmp_path / "home", **own) as service, service.client(service.admin_key) as admin:
        wait_for(lambda: ordered(admin, {"mode": "full", "epochs": 40}))
        run = admin.get("/retrain").json()["runs"][0]["id"]
        home = home_from_env(service.environment)
        with closing(Store.open(home.database_url, home.storage_uri)) as store:

            def epochs() -> list[object]:
                told = store.events.find(subject=f"run:{run}", limit=1000)
                return [event.detail["epoch"] for event in told if event.kind == "epoch"]

            wait_for(lambda: len(epochs()) > 2)
            os.kill(process(service, "gcs_server"), signal.SIGKILL)
            serves_again(service)
            ended = finished(admin, run, 2 * PATIENCE_S)
            seen = epochs()
        assert ended["state"] == "succeeded", ended
        assert seen[-1] == 40
        assert seen.count(1) == 1, f"it began again from nothing: {seen}"


def ordered(admin: httpx.Client, order: dict[str, object]) -> bool:
    return admin.post("/retrain", json=order).status_code == 202


def test_a_dashboard_that_was_killed_is_back_with_its_jobs(own: Service) -> None:
    os.kill(process(own, "dashboard/dashboard.py"), signal.SIGKILL)
    with own.client(own.admin_key) as admin:
        wait_for(lambda: ordered(admin, {"mode": "teach"}))
        run = admin.get("/retrain").json()["runs"][0]
        assert finished(admin, run["id"], PATIENCE_S)["state"] == "succeeded"


@pytest.mark.deploy
def test_a_killed_launcher_leaves_nothing_in_the_way_of_the_next(own: Service) -> None:
    before = set(service_processes(own.home.resolve()))
    os.kill(int((own.home / "running.lock").read_text()), signal.SIGKILL)
    again = subprocess.Popen(
        [sys.executable, "-m", "serve_app"],
        env=own.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        # Until the next one has ended them, those that were left behind still answer.
        wait_for(lambda: not before & set(service_processes(own.home.resolve())))
        serves_again(own)
        assert again.poll() is None
    finally:
        again.send_signal(signal.SIGINT)
        again.wait(60)
    assert service_processes(own.home.resolve()) == []
