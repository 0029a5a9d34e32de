"""Whatever the client, every request is counted, and only a 2xx counts as answered."""

import numpy as np
import pytest
from starlette.types import Receive, Scope, Send

from loadtest.bench.measure import sample_of
from loadtest.bench.peers.asgi import clip_in
from loadtest.clip import FORM_TYPE, form
from loadtest.open_loop import Offered, Plan, offer
from loadtest.report import Row
from support.local_server import Server


def test_a_form_holds_the_clip_as_it_is() -> None:
    clip = b"RIFF\r\n\r\n--x\0\r\n--"
    assert clip_in(FORM_TYPE.encode(), form("file", [clip])) == clip


async def every_third_fails(scope: Scope, receive: Receive, send: Send) -> None:
    message = await receive()
    while message.get("more_body"):
        message = await receive()
    counted[0] += 1
    status = 503 if counted[0] % 3 == 0 else 200
    await send({"type": "http.response.start", "status": status, "headers": [LENGTH]})
    await send({"type": "http.response.body", "body": b"ok"})


LENGTH = (b"content-length", b"2")
counted = [0]


def sample(offered: Offered) -> Row:
    return sample_of(offered, {})


def test_refused_requests_are_counted_and_do_not_count_as_answered() -> None:
    counted[0] = 0
    with Server(every_third_fails) as url:
        load = sample(offer(Plan(url, b"clip", 1, clients=2, raw=True)))
    assert load["answered"] > 10
    # Those under way at the end were answered, but nobody was there any more.
    assert load["answered"] + load["errors"]["status"] == pytest.approx(counted[0], abs=4)
    assert load["errors"]["status"] == pytest.approx(counted[0] / 3, abs=3)
    assert 0 < load["p50_ms"] <= load["p95_ms"] <= load["p99_ms"]
    assert load["client_cpu_ms"] > 0


def test_broken_connections_are_told_from_those_never_made() -> None:
    found = Offered(
        due_s=np.zeros(5),
        sent_s=np.zeros(5),
        ended_s=np.full(5, 0.01),
        status=np.array([200, 429, 0, 0, 0]),
        retry_after=np.zeros(5, dtype=bool),
        worked_ms=np.full(5, np.nan),
        client_cpu_s=0.0,
        unconnected=1,
    )
    load = sample(found)
    assert load["answered"] == 1
    assert load["errors"] == {"status": 1, "connect": 1, "read": 2}
    assert load["p50_ms"] == pytest.approx(10)


def test_a_server_that_is_away_is_no_connection() -> None:
    load = sample(offer(Plan("http://127.0.0.1:9", b"clip", 1, raw=True)))
    assert load["answered"] == 0
    assert set(load["errors"]) == {"connect"}
    assert load["errors"]["connect"] < 200  # it does not ask as fast as it can
