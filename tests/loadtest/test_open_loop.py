"""loadtest.open_loop: load at a rate, and what is kept of it."""

import argparse
import asyncio
import socket
import threading
import time

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from loadtest.command import contents
from loadtest.open_loop import Offered, Plan, offer, poisson
from support.local_server import Server


async def predict(request: Request) -> Response:
    """Refuses every second request, tells what the others took."""
    request.app.state.asked += 1
    request.app.state.keys.add(request.headers.get("authorization"))
    if request.app.state.asked % 2:
        return Response(status_code=429, headers={"Retry-After": "1"})
    body = await request.body()
    await asyncio.sleep(0.005)
    timings = {"prepare": 1.5, "network": len(body) / 1000}
    return JSONResponse({"timings_ms": timings})


@pytest.fixture
def app() -> Starlette:
    app = Starlette(routes=[Route("/predict", predict, methods=["POST"])])
    app.state.asked, app.state.keys = 0, set()
    return app


@pytest.fixture
def clip() -> bytes:
    return bytes(160_000)


def test_an_open_loop_keeps_a_row_for_every_request_that_was_due(
    app: Starlette, clip: bytes
) -> None:
    with Server(app) as url:
        found = offer(Plan(url, clip, 1.0, rate=60, seed=5))
    assert found.due_s.size == poisson(60, 1.0, seed=5).size
    assert (found.due_s <= found.sent_s).all()
    assert (found.sent_s <= found.ended_s).all()
    assert set(found.figures()["statuses"]) == {"200", "429"}
    assert (found.retry_after == (found.status == 429)).all()
    assert found.latency_ms.size == (found.status == 200).sum()
    assert found.latency_ms.min() > 4
    assert np.nanmin(found.worked_ms) > 160
    assert np.isnan(found.worked_ms[found.status == 429]).all()
    assert found.client_cpu_s > 0


def test_closed_loops_ask_again_when_they_are_answered(app: Starlette, clip: bytes) -> None:
    with Server(app) as url:
        found = offer(Plan(url, clip, 0.5, clients=3))
    assert found.due_s.size > 6
    assert found.due_s[:3].max() < found.ended_s.min()
    assert set(found.figures()["statuses"]) == {"200", "429"}


def test_where_nobody_listens_every_request_is_kept_as_broken(clip: bytes) -> None:
    found = offer(Plan("http://127.0.0.1:9", clip, 0.3, rate=30))
    assert found.figures()["statuses"] == {"0": found.due_s.size}
    assert not found.latency_ms.size


def test_a_clip_that_is_not_there_is_said() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"none\.wav cannot be read: No such file"):
        contents("none.wav")


def test_a_key_is_sent_as_a_bearer(app: Starlette, clip: bytes) -> None:
    with Server(app) as url:
        offer(Plan(url, clip, 0.2, key="a secret"))
    assert app.state.keys == {"Bearer a secret"}


@pytest.mark.parametrize("burst", [1.0, 8.0])
def test_arrivals_come_at_the_rate_asked_for(burst: float) -> None:
    due = poisson(200, 100, seed=1, burst=burst)
    assert due.size == pytest.approx(20_000, rel=0.05)
    assert (np.diff(due) >= 0).all()
    # The count of a second has mean 200; of lone arrivals its variance is the same.
    counts, _ = np.histogram(due, np.arange(0, 101))
    assert counts.var() == pytest.approx(200 * (2 * burst - 1), rel=0.4)


HEAD = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 4\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbusy\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("pieces", "statuses"),
    [
        ((HEAD[:30], HEAD[30:] + b"bu", b"sy"), {"429": 1}),
        ((CHUNKED[:60], CHUNKED[60:]), {"200": 1}),
        ((HEAD + b"bus",), {"0": 1}),
        ((HEAD[:30],), {"0": 1}),
    ],
)
def test_an_answer_is_complete_when_its_announced_length_has_come(
    pieces: tuple[bytes, ...], statuses: dict[str, int], clip: bytes
) -> None:
    def answer() -> None:
        wire, _ = listener.accept()
        with wire:
            while wire.recv(1 << 20)[-2:] != b"\r\n":  # the form's end
                pass
            for piece in pieces:
                wire.sendall(piece)
                time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        found = offer(Plan(url, clip, 0.01))
        thread.join()
    assert found.figures()["statuses"] == statuses
    assert found.unconnected == 0


def test_a_refusal_before_the_whole_clip_is_sent_is_an_answer() -> None:
    clip = bytes(20_000_000)

    def refuse() -> None:
        wire, _ = listener.accept()
        wire.recv(1000)
        wire.sendall(HEAD + b"busy")
        time.sleep(0.2)
        wire.close()  # by a reset, since the rest was never read

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=refuse)
        thread.start()
        found = offer(Plan(f"http://127.0.0.1:{listener.getsockname()[1]}", clip, 0.01))
        thread.join()
    assert found.figures()["statuses"]["429"] == 1


def test_latencies_are_those_of_answered_predictions_only() -> None:
    found = Offered(
        due_s=np.array([0.0, 1.0, 2.0]),
        sent_s=np.array([0.0, 1.0, 2.0]),
        ended_s=np.array([0.01, 1.002, 2.5]),
        status=np.array([200, 429, 0]),
        retry_after=np.array([False, True, False]),
        worked_ms=np.full(3, np.nan),
        client_cpu_s=0.0,
    )
    assert found.latency_ms.tolist() == pytest.approx([10.0])
    assert found.seconds == 2.5
