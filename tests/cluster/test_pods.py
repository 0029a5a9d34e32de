"""Ray as a pod of KubeRay's starts it, on two machines, and on it what the manifest has Serve run.

Each has a home of its own: what they share are a database, the registry and the folders of clips
and models, as with deploy/kubernetes-bucket.
"""

import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from data.install_paths import FILES
from serve_app.cluster.launch import SERVE_YAML
from support.inputs.sounds import tone
from support.loaded import loaded
from support.locust_users import users
from support.machines import Machine, machines
from support.tiny import two_versions

pytestmark = pytest.mark.deploy
PATIENCE_S = 240
PORT = 8000
# KubeRay's own, of what rayservice.yaml has in rayStartParams.
HEAD = "--head --port=6379 --num-cpus=0 --dashboard-host=0.0.0.0"
WORKER = "--address={head}:6379 --num-cpus=2"
BOTH = "--block --dashboard-agent-listen-port=52365 --metrics-export-port=8080"
BOTH += " --object-store-memory=268435456"


@dataclass
class Pod:
    machine: Machine
    home: Path

    @property
    def url(self) -> str:
        return f"http://{self.machine.ip}:{PORT}"

    def start(self, parameters: str, environment: dict[str, str]) -> None:
        self.home.mkdir()
        there = {"TELLTALE_HOME": str(self.home)}
        own = f"--node-ip-address={self.machine.ip} --temp-dir={self.home}/ray"
        script = f"{sys.executable} -m serve_app environment >{self.home}/pod.env\n"
        script += f". {self.home}/pod.env\nexec ray start {parameters} {BOTH} {own}"
        command = ["bash", "-ec", script]
        self.machine.start(command, environment | there, self.home / "pod.log")

    def deploy(self, config: Path) -> None:
        """As the operator does, by the dashboard."""
        self.machine.typed(f". {self.home}/pod.env && serve deploy {shlex.quote(str(config))}")

    def ask(self, path: str) -> Any:
        """None where nothing answers there yet."""
        try:
            found = httpx.get(f"{self.url}{path}", trust_env=False, timeout=10)
        except httpx.TransportError:
            return None
        return found.json() if found.status_code == 200 else None


@pytest.fixture
def pods(tmp_path: Path) -> Iterator[tuple[Pod, Pod]]:
    two_versions(tmp_path, "keywords")
    with (
        tempfile.TemporaryDirectory(prefix="pods-", dir="/tmp", ignore_cleanup_errors=True) as root,
        machines(2) as found,
    ):
        head, worker = (Pod(each, Path(root) / str(place)) for place, each in enumerate(found))
        if not head.machine.ip:
            pytest.skip("needs network namespaces: root and iproute2")
        environment = os.environ | {
            "RAY_AUTH_MODE": "token",  # both by `authOptions`
            "RAY_AUTH_TOKEN": "0123456789abcdef" * 4,
            "TELLTALE_ADMIN_KEY": "a key for this test only",
            "TELLTALE_HOST": "0.0.0.0",
            "TELLTALE_PORT": str(PORT),
            "TELLTALE_DOMAINS": "keywords",
            "TELLTALE_DATABASE_URL": f"sqlite:///{tmp_path}/telltale.db",
            "TELLTALE_STORAGE_URI": str(tmp_path / "blobs"),
            "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
            "TELLTALE_ARTIFACTS_URI": str(tmp_path / "artifacts"),
        }
        head.start(HEAD, environment)
        until(lambda: accepts(head, 6379), head)
        worker.start(WORKER.format(head=head.machine.ip), environment)
        until(lambda: accepts(head, 8265) and accepts(worker, 52365), head, worker)
        yield head, worker


def accepts(pod: Pod, port: int) -> bool:
    """Whether somebody listens there, as a pod's `tcpSocket` probe finds out."""
    try:
        pod.machine.typed(f"exec 3<>/dev/tcp/{pod.machine.ip}/{port}")
    except AssertionError:
        return False
    return True


def manifest(folder: Path, **changed: object) -> Path:
    """What Serve is told to run, of one domain; `changed` are settings of its deployment."""
    shipped = yaml.safe_load(SERVE_YAML.read_text("utf-8"))
    kept = ("curator", "ui", "keywords")
    shipped["applications"] = [app for app in shipped["applications"] if app["name"] in kept]
    (rules,) = next(app for app in shipped["applications"] if app["name"] == "keywords")[
        "deployments"
    ]
    rules |= changed
    rules["autoscaling_config"] |= {"max_replicas": 1}
    (folder / "serve.yaml").write_text(yaml.safe_dump(shipped), encoding="utf-8")
    generate = loaded(FILES / "deploy" / "kubernetes" / "generate.py")
    path = folder / "manifest.yaml"
    path.write_text(yaml.safe_dump(generate.on_kubernetes(folder / "serve.yaml")), encoding="utf-8")
    return path


def follows_champion(pod: Pod) -> bool:
    """A pod that is ready may answer with the shipped model until the curator has told it."""
    status = pod.ask("/ready") and pod.ask("/status")
    if not status or status["curator"] != "ok":
        return False
    agree: bool = status["domains"]["keywords"]["agree"]
    return agree


def replicas(pod: Pod) -> set[str]:
    status = pod.ask("/status")
    return (
        {row["replica"] for row in status["domains"]["keywords"]["replicas"]} if status else set()
    )


def replaced(pod: Pod, before: set[str]) -> bool:
    found = replicas(pod)
    return bool(found) and before.isdisjoint(found)


def until(true: Callable[[], object], *pods: Pod) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        said = "\n".join((pod.home / "pod.log").read_text("utf-8") for pod in pods)
        assert time.monotonic() < deadline, said
        time.sleep(0.5)


def test_both_pods_answer_and_a_change_is_rolled_out_and_back_without_a_failed_request(
    pods: tuple[Pod, Pod], tmp_path: Path
) -> None:
    head, worker = pods
    head.deploy(manifest(tmp_path))
    for pod in pods:
        until(partial(follows_champion, pod), *pods)
    for pod in pods:
        answer = httpx.post(f"{pod.url}/predict", files={"file": tone()}, trust_env=False)
        assert answer.raise_for_status().json()["label"] == "one"
    with users(head.url, tmp_path / "head"), users(worker.url, tmp_path / "worker"):
        for options in ({"num_cpus": 0.4}, {"num_cpus": 0.5}):
            before = replicas(head)
            head.deploy(manifest(tmp_path, ray_actor_options=options))
            until(partial(replaced, head, before), *pods)
