"""A service of its own that loses what it cannot do without: it comes back by itself."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from data.domains.domain import load_domains
from data.home import home_from_env
from data.store.store import Store
from serve_app.cluster.service_processes import service_processes
from support.inputs.toy_dataset import toy_dataset
from support.service import Service, finished, ordered, process, serves_again, started
from support.waiting import wait_for

pytestmark = pytest.mark.deploy
PATIENCE_S = 150


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with started(tmp_path_factory.mktemp("own"), TELLTALE_DOMAINS="keywords") as service:
        yield service


@pytest.mark.parametrize(
    "title", ["gcs_server", "ray::RuntimeEnvAgent", "serve_app.cluster.launch"]
)
def test_a_cluster_that_has_lost_a_part_comes_back_by_itself(own: Service, title: str) -> None:
    def console() -> str:
        return (own.home / "console.log").read_text("utf-8")

    ups, starts = (console().count(words) for words in ("Telltale is up", "starting it anew"))
    os.kill(process(own, title), signal.SIGKILL)
    wait_for(lambda: console().count("Telltale is up") > ups, PATIENCE_S)
    assert console().count("starting it anew") == starts + 1
    serves_again(own)
    assert "Traceback" not in console()
    assert own.admin_key not in console()


def test_a_full_retrain_goes_on_when_its_cluster_has_lost_its_head(tmp_path: Path) -> None:
    domain = load_domains(names=("keywords",))["keywords"]
    root = toy_dataset(tmp_path / "datasets", domain)
    own = {"TELLTALE_DOMAINS": "keywords", "TELLTALE_DATASETS": str(root)}
    (tmp_path / "home").mkdir()
    with started(tmp_path / "home", **own) as service, service.client(service.admin_key) as admin:
        wait_for(lambda: ordered(admin, {"mode": "full", "epochs": 40}), PATIENCE_S)
        run = admin.get("/keywords/retrain").json()["runs"][0]["id"]
        home = home_from_env(service.environment)
        with closing(Store.open(home.database_url, home.storage_uri)) as store:

            def epochs() -> list[object]:
                told = store.events.find(subject=f"run:{run}", limit=1000)
                return [event.detail["epoch"] for event in told if event.kind == "epoch"]

            wait_for(lambda: len(epochs()) > 2, PATIENCE_S)
            os.kill(process(service, "gcs_server"), signal.SIGKILL)
            serves_again(service)
            ended = finished(admin, run, 2 * PATIENCE_S)
            seen = epochs()
        assert ended["state"] == "succeeded", ended
        assert seen[-1] == 40
        assert seen.count(1) == 1, f"it began again from nothing: {seen}"


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
        wait_for(lambda: not before & set(service_processes(own.home.resolve())), PATIENCE_S)
        serves_again(own)
        assert again.poll() is None
    finally:
        again.send_signal(signal.SIGINT)
        again.wait(60)
    assert service_processes(own.home.resolve()) == []
