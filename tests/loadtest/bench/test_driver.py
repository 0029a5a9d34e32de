"""Whatever the client, every request is counted, and only a 2xx counts as answered."""

import json
import shutil

import pytest
from starlette.types import Receive, Scope, Send

from loadtest.bench import driver, fallback
from loadtest.bench.peers.asgi import clip_in
from loadtest.client.wire import Reply, Tally
from support.local_server import Server

WRK = """Running 2s test @ http://127.0.0.1:8141/predict
  1 threads and 8 connections
Requests/sec:     49.50

{"requests": 100, "seconds": 2.02, "p50": 8.5, "p95": 20.25, "p99": 90.1, "status": 7, \
"connect": 0, "read": 2, "write": 0, "timeout": 0}
"""


def test_what_wrk_says_is_read() -> None:
    load = driver.parsed(WRK, client_cpu_s=0.1)
    assert load.answered == 93
    assert load.rate == pytest.approx(93 / 2.02)
    assert (load.p50_ms, load.p95_ms, load.p99_ms) == (8.5, 20.25, 90.1)
    assert load.errors == {"status": 7, "read": 2}


def test_a_form_holds_the_clip_as_it_is() -> None:
    clip = b"RIFF\r\n\r\n--x\0\r\n--"
    request = driver.form(clip)
    assert request.content_type.startswith("multipart/form-data; boundary=")
    assert clip_in(request.content_type.encode(), request.body) == clip


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
CLIENTS = {
    "asyncio": driver.asyncio_client,
    "wrk": pytest.param(
        driver.wrk_client,
        marks=pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed"),
    ),
}


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS.keys())
def test_refused_requests_are_counted_and_do_not_count_as_answered(client: driver.Client) -> None:
    counted[0] = 0
    with Server(every_third_fails) as url:
        load = driver.drive(f"{url}/predict", driver.raw(b"clip"), 2, 1, client)
    assert load.answered > 10
    # Those under way at the end were answered, but nobody was there any more.
    assert load.answered + load.errors["status"] == pytest.approx(counted[0], abs=4)
    assert load.errors["status"] == pytest.approx(counted[0] / 3, abs=3)
    assert 0 < load.p50_ms <= load.p95_ms <= load.p99_ms
    assert load.client_cpu_s > 0


def test_broken_connections_are_told_from_those_never_made() -> None:
    replies = [Reply(200, b"", 0.0, 0.01), Reply(429, b"", 0.0, 0.01)]
    broken = [(0.0, "ConnectionRefusedError(111, \"Connect call failed ('127.0.0.1', 9)\")")]
    broken += [
        (0.0, "ConnectionResetError(104, 'reset by peer')"),
        (0.0, "IncompleteReadError('')"),
    ]
    out = json.dumps(fallback.summary(Tally(replies, broken), seconds=2.0))
    load = driver.parsed(out, client_cpu_s=0.0)
    assert load.answered == 1
    assert load.errors == {"status": 1, "connect": 1, "read": 2}
    assert load.p50_ms == pytest.approx(10)
