"""A second Telltale on a machine where another Ray already has the ports that Ray prefers."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import httpx
import pytest

from support.inputs.sounds import tone
from support.service import finished, started

pytestmark = pytest.mark.deploy

PREFERRED = (8265, 52365)  # the dashboard and its agent, which starts the jobs
PATIENCE_S = 60


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with ExitStack() as others:
        for port in PREFERRED:
            with suppress(OSError):  # somebody has it already, which is the same
                others.enter_context(socket.create_server(("", port)))
        home = tmp_path_factory.mktemp("second")
        service = others.enter_context(started(home, TELLTALE_DOMAINS="keywords"))
        yield others.enter_context(service.client(service.admin_key))


def test_it_learns_too(second: httpx.Client) -> None:
    second.post("/feedback", files={"file": tone()}, data={"label": "nine"}).raise_for_status()
    run = second.post("/retrain", json={"mode": "teach"}).raise_for_status().json()
    run = finished(second, run["id"], PATIENCE_S)
    assert run["state"] == "succeeded", run
