"""A full retrain survives the death of its worker and of its driver, alone or with two workers, and
has more of them when a machine joins.

The command is run as a person runs it, with a Ray of its own, on a toy data set.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
import yaml
from pyarrow.fs import FileSelector, FileSystem

from data.domains.domain import CONFIGS, load_domains
from data.home import home_from_env
from data.store.store import Store
from models.bundle import load_bundle
from models.registry.registry import Registry
from models.runtime import OnnxModel
from support.fakes.fake_s3 import KEYS, s3_store
from support.fakes.own_files import changed
from support.inputs.toy_dataset import toy_dataset
from support.service import free_port

EPOCHS = 4
PATIENCE_S = 300
NO_TOKEN = {"RAY_AUTH_MODE": "disabled"}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    domain = load_domains(names=("keywords",))["keywords"]
    root = toy_dataset(tmp_path_factory.mktemp("datasets"), domain)
    own = {name: value for name, value in os.environ.items() if not name.startswith("RAY_ADDRESS")}
    home = str(tmp_path_factory.mktemp("home"))
    return own | {"TELLTALE_DATASETS": str(root), "TELLTALE_HOME": home}


@pytest.fixture
def store(environment: dict[str, str]) -> Iterator[Store]:
    home = home_from_env(environment)
    opened = Store.open(home.database_url, home.storage_uri)
    yield opened
    opened.close()


def start(
    environment: dict[str, str], store: Store, run_id: str, *more: str, epochs: int = EPOCHS
) -> "subprocess.Popen[str]":
    if run_id not in {run.id for run in store.runs.find()}:
        store.runs.start(run_id, domain="keywords", mode="full", reason="test", who="anna")
    command = ["training.retrain", "keywords", "--epochs", str(epochs), "--run", run_id, *more]
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    STARTED.append(process)
    return process


STARTED: list["subprocess.Popen[str]"] = []


@pytest.fixture(autouse=True)
def _what_a_failed_test_started_goes_on_no_longer() -> Iterator[None]:
    yield
    for process in STARTED:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        assert process.stdout is not None
        process.stdout.close()
    STARTED.clear()


def epochs(store: Store, run_id: str) -> list[int]:
    events = store.events.find(subject=f"run:{run_id}", limit=1000)
    return [int(str(event.detail["epoch"])) for event in events if event.kind == "epoch"]


def wait_for_epoch(
    store: Store, run_id: str, number: int, process: "subprocess.Popen[str]"
) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while number not in epochs(store, run_id):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "training did not get that far"
        time.sleep(0.2)


def workers_of(process: "subprocess.Popen[str]") -> list[int]:
    """Training workers among the descendants of the command."""
    listed = subprocess.run(
        ["ps", "-eo", "pid,sid,args"], capture_output=True, text=True, check=True
    ).stdout
    found = re.findall(r"^\s*(\d+)\s+(\d+)\s+(ray::.*RayTrainWorker.*)$", listed, re.MULTILINE)
    return [int(pid) for pid, session, _ in found if int(session) == process.pid]


@pytest.mark.deploy
def test_a_killed_worker_of_two_costs_an_epoch_and_not_the_run(
    environment: dict[str, str], store: Store
) -> None:
    process = start(environment, store, "worker-dies", "--workers", "2", "--no-promote")
    wait_for_epoch(store, "worker-dies", 2, process)
    worker, _ = workers_of(process)
    os.kill(worker, signal.SIGKILL)
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output
    seen = epochs(store, "worker-dies")
    assert seen[-1] == EPOCHS
    assert seen.count(1) == 1, f"it began again from nothing: {seen}"
    assert store.runs.get("worker-dies").state == "succeeded"
    home = home_from_env(environment)
    registry = Registry(home.tracking_uri, home.artifact_root)
    bundle = load_bundle(registry.fetch(registry.versions("keywords")[0], home.bundles))
    assert bundle.card.training.workers == 2
    OnnxModel(bundle).self_test()


@pytest.fixture
def bucket() -> Iterator[str]:
    with s3_store("training") as address:
        yield f"s3://training/runs?endpoint_override={address}&scheme=http&region=us-east-1"


@pytest.mark.deploy
def test_a_killed_driver_goes_on_from_a_bucket_when_its_machine_is_gone(
    environment: dict[str, str], store: Store, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = environment | KEYS | {"TELLTALE_RUNS_URI": bucket}
    process = start(environment, store, "driver-moves")
    wait_for_epoch(store, "driver-moves", 2, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
    shutil.rmtree(home_from_env(environment).runs)
    again = start(environment, store, "driver-moves")
    output, _ = again.communicate(timeout=PATIENCE_S)
    assert again.returncode == 0, output
    seen = epochs(store, "driver-moves")
    assert (seen[-1], seen.count(1)) == (EPOCHS, 1), f"it began again from nothing: {seen}"
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    filesystem, root = FileSystem.from_uri(bucket)
    assert filesystem.get_file_info(FileSelector(root, allow_not_found=True)) == []


@pytest.mark.deploy
def test_a_killed_driver_goes_on_when_the_run_is_started_again(
    environment: dict[str, str], store: Store
) -> None:
    process = start(environment, store, "driver-dies")
    wait_for_epoch(store, "driver-dies", 2, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()  # not read to its end: Ray's own processes may still hold it
    assert store.runs.get("driver-dies").state == "running"
    again = start(environment, store, "driver-dies")
    output, _ = again.communicate(timeout=PATIENCE_S)
    assert again.returncode == 0, output
    seen = epochs(store, "driver-dies")
    assert seen[-1] == EPOCHS
    assert seen.count(1) == 1, f"it began again from nothing: {seen}"
    ended = store.runs.get("driver-dies")
    assert ended.state == "succeeded"
    assert ended.result is not None
    assert ended.result["version"]


@pytest.fixture
def short_folder() -> Iterator[str]:
    """The path of a socket of Ray's may have 107 letters."""
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        yield folder


@contextmanager
def machine(*where: str) -> Iterator["psutil.Popen"]:
    """A node of Ray with room for one worker; `where`: of which cluster, or that it is the head."""
    room = ["--num-cpus", "1", "--resources", '{"train": 1}', "--disable-usage-stats", "--block"]
    process = psutil.Popen(["ray", "start", *where, *room], env=os.environ | NO_TOKEN)
    try:
        yield process
    finally:
        for each in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                each.kill()
        process.wait()


def learning(node: "psutil.Popen") -> int:
    """Training workers on a node. Each has a session of its own, and is no child of its raylet."""
    raylets = {str(process.pid) for process in node.children(recursive=True)}
    found = 0
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if "RayTrainWorker" in " ".join(process.cmdline()):
                found += process.environ().get("RAY_RAYLET_PID") in raylets
    return found


@pytest.mark.deploy
def test_a_training_begins_on_one_machine_and_goes_on_with_another_that_joins(
    environment: dict[str, str], store: Store, tmp_path: Path, short_folder: str
) -> None:
    shipped = yaml.safe_load((CONFIGS / "keywords.yaml").read_text("utf-8"))
    wanted = {"training.workers": 2, "training.min_workers": 1, "training.patience": 1000}
    changed(tmp_path, shipped, wanted).rename(tmp_path / "keywords.yaml")
    port = str(free_port())
    address = f"127.0.0.1:{port}"
    own = NO_TOKEN | {"TELLTALE_CONFIGS": str(tmp_path), "RAY_ADDRESS": address}
    head = ["--head", "--port", port, "--include-dashboard", "false", "--temp-dir", short_folder]
    with machine(*head) as first:
        process = start(environment | own, store, "grows", "--no-promote", epochs=1000)
        wait_for_epoch(store, "grows", 1, process)
        assert learning(first) == 1
        with machine("--address", address) as second:
            deadline = time.monotonic() + PATIENCE_S
            while learning(second) == 0:
                assert time.monotonic() < deadline, "no worker began on the second machine"
                time.sleep(1)
            before = epochs(store, "grows")[-1]
            wait_for_epoch(store, "grows", before + 2, process)
            assert learning(first) == 1
            process.terminate()
            process.communicate(timeout=PATIENCE_S)
    assert epochs(store, "grows").count(1) == 1, "it began again from nothing"


@pytest.mark.deploy
def test_a_stopped_run_is_cancelled_and_says_so(environment: dict[str, str], store: Store) -> None:
    """The service stops a job as everybody does: by SIGTERM."""
    process = start(environment, store, "stopped")
    wait_for_epoch(store, "stopped", 1, process)
    process.terminate()
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1, output
    assert output.strip().endswith("The run was cancelled; the champion stays.")
    assert store.runs.get("stopped").state == "cancelled"
    assert not list(home_from_env(environment).runs.glob("stopped-*"))
