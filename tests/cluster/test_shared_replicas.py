"""TELLTALE_SHARED_REPLICAS: two domains in one process; what is done to one leaves the other."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.inputs.sounds import tone
from support.service import Service, started

pytestmark = pytest.mark.deploy
FIRST, GUEST = "faults", "keywords"
PATIENCE_S = 120


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    home: Path = tmp_path_factory.mktemp("shared")
    names = f"{FIRST},{GUEST}"
    with started(home, TELLTALE_DOMAINS=names, TELLTALE_SHARED_REPLICAS="1") as running:
        yield running


@pytest.fixture
def client(shared: Service) -> Iterator[httpx.Client]:
    with shared.client(shared.admin_key) as admin:
        yield admin


def until(find: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):  # the process may just have been killed
            if found := find():
                return found
        time.sleep(0.2)
    raise AssertionError(f"it did not come within {PATIENCE_S} s")


def replicas(client: httpx.Client) -> dict[str, Any]:
    """The one of each domain, once all replicas follow their champions."""
    status = client.get("/status")
    said = status.json() if status.status_code == 200 else {}
    rows = said["domains"] if said.get("curator") == "ok" else {}
    agreed = len(rows) == 2 and all(row["agree"] for row in rows.values())
    return {name: row["replicas"][0] for name, row in rows.items()} if agreed else {}


def ask(client: httpx.Client, domain: str) -> dict[str, Any]:
    found = client.post(f"/{domain}/predict", files={"file": tone()}).raise_for_status()
    answer: dict[str, Any] = found.json()
    assert answer["domain"] == domain
    return answer


def test_one_process_serves_both_each_in_its_own_name(client: httpx.Client) -> None:
    found = until(lambda: replicas(client))
    assert found[FIRST]["pid"] == found[GUEST]["pid"]
    # What a process takes is told once, so that sums over domains are right.
    assert found[FIRST]["rss_mb"] > 0
    assert found[GUEST]["rss_mb"] is None
    series = client.get("/metrics").text
    assert f'telltale_cpu_seconds_total{{domain="{FIRST}"}}' in series
    assert f'telltale_cpu_seconds_total{{domain="{GUEST}"}}' not in series
    states = {name: row["states"] for name, row in client.get("/status").json()["domains"].items()}
    assert states[FIRST] == states[GUEST] == {"RUNNING": 1}
    for name in (FIRST, GUEST):
        document = client.get(f"/{name}/openapi.json").raise_for_status().json()
        assert [server["url"] for server in document["servers"]] == [f"/{name}"]
    assert ask(client, FIRST)["label"] != ask(client, GUEST)["label"]


def test_what_one_learns_the_other_does_not(client: httpx.Client) -> None:
    until(lambda: replicas(client))
    before = {name: ask(client, name)["model"]["version"] for name in (FIRST, GUEST)}
    receipt = client.post(f"/{GUEST}/feedback", files={"file": tone()}, data={"label": "seven"})
    assert receipt.raise_for_status().json()["state"] == "accepted"
    ordered = client.post(f"/{GUEST}/retrain", json={"mode": "teach"}).raise_for_status().json()
    ended = until(lambda: finished(client, ordered["id"]))
    assert ended["result"]["promoted"], ended["result"]["reasons"]
    version = ended["result"]["version"]
    until(lambda: ask(client, GUEST)["model"]["version"] == version)
    assert ask(client, FIRST)["model"]["version"] == before[FIRST]


def finished(client: httpx.Client, run_id: str) -> dict[str, Any] | None:
    run: dict[str, Any] = client.get(f"/{GUEST}/retrain/{run_id}").json()
    return run if run["finished"] else None


def test_a_killed_process_comes_back_with_both(client: httpx.Client) -> None:
    before = until(lambda: replicas(client))
    version = ask(client, GUEST)["model"]["version"]
    os.kill(before[FIRST]["pid"], signal.SIGKILL)

    def back() -> bool:
        found = replicas(client)
        return bool(found) and found[FIRST]["pid"] != before[FIRST]["pid"]

    until(back)
    assert ask(client, GUEST)["model"]["version"] == version
    assert ask(client, FIRST)["domain"] == FIRST
