"""One Telltale on three machines: replicas on each, one champion, and a loss nobody notices.

The machines are network namespaces where this user may make them, else Ray nodes that share
this machine's address. The head's domain is autoscaled, with one replica a machine.
"""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import pytest
import yaml

from data.home import planned_home
from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.client.service_answers import ReplicaInfo
from serve_app.cluster.launch import SERVE_YAML, serve_config
from serve_app.settings import Settings
from support.inputs.sounds import tone
from support.locust_users import users
from support.machines import Machine, machines
from support.tiny import two_versions

pytestmark = pytest.mark.deploy
ADMIN_KEY = "a key for this test only"
CLIENTS = 3
PATIENCE_S = 180


@dataclass
class Load:
    """What clients that retry, as ours does, saw while they asked without a pause."""

    labels: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


@dataclass
class Site:
    url: str
    client: Client
    head: Machine
    home: Path
    joined: dict[str, Machine]  # by the name of its node

    @property
    def replicas(self) -> tuple[ReplicaInfo, ...]:
        return self.client.status().domains["keywords"].replicas

    @property
    def nodes(self) -> set[str]:
        return {row.node for row in self.replicas}

    @contextmanager
    def load(self) -> Iterator[Load]:
        seen, going = Load(), threading.Event()
        going.set()

        def ask() -> None:
            while going.is_set():
                try:
                    seen.labels.append(self.client.predict("keywords", tone()).label)
                except ServiceError as error:
                    seen.failed.append(str(error))

        threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield seen
        finally:
            going.clear()
            for thread in threads:
                thread.join(PATIENCE_S)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("nodes")
    two_versions(home, "keywords")
    with machines(3) as (head, *others):
        environment = environment_of(head, home)
        head.run(["serve", "--config", str(config(home))], environment, home / "head.log")
        until((home / "cluster.json").exists, lambda: (home / "head.log").read_text("utf-8"))
        logs = [home / f"node{place}.log" for place, _ in enumerate(others)]
        for machine, log in zip(others, logs, strict=True):
            machine.run(["join"], environment, log)
        words = [
            said(machine, log, "joined as node ") for machine, log in zip(others, logs, strict=True)
        ]
        names = [text.split()[0].rstrip(".") for text in words]
        said(head, home / "head.log", "Telltale is up")
        url = f"http://{head.ip or '127.0.0.1'}:{environment['TELLTALE_PORT']}"
        with Client(url, ADMIN_KEY) as client:
            yield Site(url, client, head, home, dict(zip(names, others, strict=True)))
        head.processes[0].send_signal(signal.SIGINT)
        head.processes[0].wait(PATIENCE_S)


def environment_of(head: Machine, home: Path) -> dict[str, str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return os.environ | {
        "TELLTALE_HOME": str(home),
        "TELLTALE_PORT": str(port),
        "TELLTALE_HOST": "0.0.0.0" if head.ip else "127.0.0.1",
        "TELLTALE_ADMIN_KEY": ADMIN_KEY,
        "TELLTALE_DOMAINS": "keywords",
    }


def config(home: Path, **changed: object) -> Path:
    """A serve.yaml of one domain; `changed` are further settings of its deployment."""
    found = yaml.safe_load(SERVE_YAML.read_text(encoding="utf-8"))
    deployment = next(app for app in found["applications"] if app["name"] == "keywords")
    settings = deployment["deployments"][0]
    settings |= {"max_replicas_per_node": 1, **changed}
    settings["autoscaling_config"] |= {
        "max_replicas": 2,
        "target_ongoing_requests": 1,
        "upscale_delay_s": 0.5,
        "downscale_delay_s": 3,
    }
    path = home / "serve.yaml"
    path.write_text(yaml.safe_dump(found), encoding="utf-8")
    return path


def roll_out(site: Site, changed: Path) -> None:
    """By Serve's own command, on the head."""
    port = int(site.url.rpartition(":")[2])
    home = planned_home({"TELLTALE_HOME": str(site.home)})
    settings = Settings(home, "0.0.0.0" if site.head.ip else "127.0.0.1", port, ("keywords",), "")
    changed.write_text(yaml.safe_dump(serve_config(settings, changed)), encoding="utf-8")
    site.head.typed(f". {site.home}/ray.env && serve deploy {changed}")


def replaced(site: Site, before: set[str]) -> bool:
    """Whether all replicas are others than those, on two machines again."""
    replicas = site.replicas
    two = len({row.node for row in replicas}) == 2
    return two and before.isdisjoint(row.replica for row in replicas)


def said(machine: Machine, log: Path, words: str) -> str:
    """What follows `words` in the log, as soon as they are there; what ends first says no more."""

    def found() -> bool:
        ended = machine.processes[-1].poll() is not None
        there = words in log.read_text("utf-8")
        assert there or not ended, log.read_text("utf-8")
        return there

    until(found, lambda: log.read_text("utf-8"))
    return log.read_text("utf-8").partition(words)[2]


def joined_with_a_replica(site: Site) -> str:
    """A machine that has joined, as soon as one of two replicas is there: told by one look, since a
    replica of the load before may be leaving."""
    found: set[str] = set()

    def seen() -> bool:
        nodes = site.nodes
        found.update(nodes & set(site.joined) if len(nodes) == 2 else ())
        return bool(found)

    until(seen, lambda: site.replicas)
    return found.pop()


def answering(site: Site) -> set[str]:
    """The machines whose replicas have answered clips, by asking often enough to meet them all."""
    bodies = [httpx.get(f"{site.url}/health", trust_env=False).json() for _ in range(6)]
    return {body["node"] for body in bodies if body["predictions"]}


def until(true: Callable[[], bool], why: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, why()
        time.sleep(0.2)


def test_load_brings_a_replica_on_another_machine_and_both_answer(site: Site) -> None:
    until(lambda: len(site.nodes) == 1, lambda: site.replicas)
    with site.load() as load:
        until(lambda: len(site.nodes) == 2, lambda: site.replicas)
        assert site.nodes & set(site.joined)
        until(lambda: answering(site) == site.nodes, lambda: answering(site))
    assert not load.failed


def test_corrections_land_in_one_store_whichever_machine_takes_them(site: Site) -> None:
    with site.load() as load:
        until(lambda: len(site.nodes) == 2, lambda: site.replicas)
        receipts = [site.client.correct("keywords", tone(seed=i), "two").receipt for i in range(6)]
        kept = [site.client.receipt("keywords", receipt).label for receipt in receipts]
    assert kept == ["two"] * 6
    assert not load.failed


def test_a_swap_reaches_the_replicas_on_all_machines(site: Site) -> None:
    with site.load() as load:
        until(lambda: len(site.nodes) == 2, lambda: site.replicas)
        moved = site.client.promote("keywords", "2")
        assert moved.agree
        assert moved.replicas == 2
        until(lambda: load.labels[-1:] == ["two"], lambda: load.labels[-20:])
        before = len(load.labels)
        until(lambda: len(load.labels) > before + 50, lambda: load.failed)
    assert not load.failed
    assert set(load.labels[before:]) == {"two"}


def test_another_configuration_is_rolled_out_and_back_without_a_failed_request(site: Site) -> None:
    with users(site.url, site.home / "rolling"):
        until(lambda: len(site.nodes) == 2, lambda: site.replicas)
        for options in ({"num_cpus": 0.4}, {"num_cpus": 0.5}):
            before = {row.replica for row in site.replicas}
            roll_out(site, config(site.home, ray_actor_options=options))
            until(partial(replaced, site, before), lambda: site.replicas)


def test_a_lost_machine_costs_no_prediction_and_another_takes_its_place(site: Site) -> None:
    with site.load() as load:
        lost = joined_with_a_replica(site)
        site.joined.pop(lost).unplug()
        until(lambda: len(site.nodes - {lost}) == 2, lambda: site.replicas)
    assert not load.failed
    assert set(load.labels) == {"two"}


def test_a_machine_leaves_when_it_is_asked_to(site: Site) -> None:
    until(lambda: len(site.replicas) == 1, lambda: site.replicas)
    ((node, machine),) = site.joined.items()
    process = machine.processes[0]
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE_S) == 0
    assert node not in site.nodes
    assert site.client.predict("keywords", tone()).label == "two"
