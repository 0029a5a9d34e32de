"""The one client that makes load: requests that leave when they are due, answered or not.

telltale open-loop clip.wav --rate 100 --seconds 10       Poisson arrivals
telltale open-loop clip.wav --clients 32 --seconds 10     closed loops instead

One fixed request over HTTP/1.1, on kept-alive connections. Lean, so that what is measured is the
server; the client's CPU is part of the result. An interval timer's signal wakes the sender to
within microseconds; an event loop's own timer rounds up to milliseconds. A latency counts from the
moment a request was due, so a client that falls behind shows.
"""

import asyncio
import gc
import math
import multiprocessing
import os
import re
import signal
import socket
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import orjson
from numpy.typing import NDArray

from loadtest.clip import FORM_TYPE, form
from loadtest.command import contents, counted, new_parser, positive
from loadtest.report import percentiles, quantiles

Floats = NDArray[np.float64]
SEND_BUFFER = 1 << 20  # a whole clip leaves in one system call
PATIENCE_S = 15.0  # for what is still unanswered when the load is over
BROKEN = 0
PAUSE_S = 0.01  # of a closed loop after a broken request: the next would end the same way
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)")
COLUMNS = ("due_s", "sent_s", "ended_s", "status", "retry_after")  # taken as they are


@dataclass(frozen=True)
class Offered:
    due_s: Floats  # an entry a request; seconds from the start of the load
    sent_s: Floats
    ended_s: Floats
    status: NDArray[np.int64]  # BROKEN: no answer came
    retry_after: NDArray[np.bool_]
    worked_ms: Floats  # decoding, features and network by the answer's own account; else NaN
    client_cpu_s: float
    unconnected: int = 0  # of those without an answer, those that found nobody to connect to

    @property
    def latency_ms(self) -> Floats:
        """Of the answered predictions, in order of their due time."""
        found: Floats = (self.ended_s - self.due_s)[self.status == 200] * 1e3
        return found

    @property
    def seconds(self) -> float:
        """From the first request to the last answer."""
        return float(self.ended_s.max() - self.due_s.min())

    @property
    def answered_per_s(self) -> float:
        return self.latency_ms.size / self.seconds

    def figures(self) -> dict[str, Any]:
        return {
            "answered_per_s": round(self.answered_per_s, 1),
            **percentiles(self.latency_ms),
            "statuses": dict(Counter(map(str, self.status.tolist()))),
            "sent_late_p99_ms": quantiles((self.sent_s - self.due_s) * 1e3, 0.99)[0],
            "client_cores": round(self.client_cpu_s / self.seconds, 2),
            "client_cpu_ms_per_request": round(self.client_cpu_s / self.due_s.size * 1e3, 3),
        }


def poisson(rate: float, seconds: float, seed: int, burst: float = 1.0) -> Floats:
    """Due times, sorted. With `burst` b > 1, groups of b on average (geometric) come at once."""
    rng = np.random.default_rng(seed)
    count = max(1, int(rng.poisson(rate * seconds / burst)))
    moments = np.sort(rng.uniform(0, seconds, count))
    return np.repeat(moments, rng.geometric(1 / burst, count))


@dataclass(frozen=True)
class Plan:
    url: str
    clip: bytes
    seconds: float
    rate: float | None = None  # requests a second, Poisson, in an open loop
    clients: int = 1  # else in so many closed loops
    key: str = ""
    seed: int = 1
    path: str = "/predict"
    raw: bool = False  # the clip is the whole body, no form

    @property
    def request(self) -> bytes:
        parts = urlsplit(f"{self.url.rstrip('/')}{self.path}")
        body = self.clip if self.raw else form("file", [self.clip])
        key = f"Authorization: Bearer {self.key}\r\n" if self.key else ""
        head = (
            f"POST {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\n{key}"
            f"Content-Type: {'audio/wav' if self.raw else FORM_TYPE}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def offer(plan: Plan) -> Offered:
    """In a process of its own."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, fresh) as pool:
        return pool.submit(offer_here, plan).result()


def offer_here(plan: Plan) -> Offered:
    """In this process, whose signals it takes."""
    load = Load(plan)
    gc.disable()  # a collection in mid-run would be taken for the server's doing
    begun = time.process_time()
    asyncio.run(load.run())
    used, requests = time.process_time() - begun, load.requests
    columns = {name: np.array([getattr(one, name) for one in requests]) for name in COLUMNS}
    worked_ms = np.array([_worked(request.body) for request in requests])
    return Offered(**columns, worked_ms=worked_ms, client_cpu_s=used, unconnected=load.unconnected)


def _worked(body: bytes) -> float:
    with suppress(ValueError, KeyError, TypeError):
        timings: Mapping[str, float] = orjson.loads(body)["timings_ms"]
        return timings["prepare"] + timings["network"]
    return float("nan")


@dataclass(slots=True)
class Request:
    due_s: float  # from the load's begin, as all moments
    sent_s: float
    ended_s: float = float("nan")
    status: int = BROKEN
    retry_after: bool = False
    body: bytes = b""


class Load:
    def __init__(self, plan: Plan) -> None:
        self.requests: list[Request] = []
        self.unconnected = 0
        self._plan, self._payload = plan, plan.request
        parts = urlsplit(plan.url)
        self._address = str(parts.hostname), parts.port or 80
        self._idle: list[Connection] = []
        self._started = 0.0

    def now(self) -> float:
        return time.perf_counter() - self._started

    async def run(self) -> None:
        """Until all is answered or patience is over; what is still open then ends as broken."""
        over, rate = asyncio.Event(), self._plan.rate
        tasks = self._closed(over) if rate is None else self._open(rate, over)
        await over.wait()
        await asyncio.wait(tasks, timeout=PATIENCE_S)
        for request in self.requests:
            if math.isnan(request.ended_s):
                request.ended_s = self.now()

    def _open(self, rate: float, over: asyncio.Event) -> set[asyncio.Task[Any]]:
        loop, sent = asyncio.get_running_loop(), set[asyncio.Task[Any]]()
        due = poisson(rate, self._plan.seconds, self._plan.seed).tolist()

        def wake() -> None:
            while len(sent) < len(due) and due[len(sent)] <= self.now():
                sent.add(loop.create_task(self._ask(due[len(sent)])))
            if len(sent) < len(due):
                signal.setitimer(signal.ITIMER_REAL, max(1e-6, due[len(sent)] - self.now()))
            else:
                over.set()

        loop.add_signal_handler(signal.SIGALRM, wake)
        self._started = time.perf_counter()
        wake()
        return sent

    def _closed(self, over: asyncio.Event) -> set[asyncio.Task[Any]]:
        """For so long, or until Ctrl-C, after which there are figures as well."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, over.set)
        loop.call_later(self._plan.seconds, over.set)

        async def again_and_again() -> None:
            while not over.is_set():
                if await self._ask(self.now()) == BROKEN:
                    await asyncio.sleep(PAUSE_S)

        self._started = time.perf_counter()
        return {loop.create_task(again_and_again()) for _ in range(self._plan.clients)}

    async def _ask(self, due_s: float) -> int:
        request = Request(due_s, self.now())
        self.requests.append(request)
        try:
            connection = await self._connection()
        except OSError:
            self.unconnected += 1
        else:
            with suppress(OSError, EOFError):
                head, request.body = await connection.ask(self._payload)
                request.status, request.retry_after = int(head[9:12]), b"\r\nretry-after:" in head
                # Refused before all was sent: the rest of it would be taken for a request.
                if b"connection: close" in head or connection.transport.get_write_buffer_size():
                    connection.transport.abort()
                else:
                    self._idle.append(connection)
        request.ended_s = self.now()
        return request.status

    async def _connection(self) -> "Connection":
        while self._idle:
            if not (connection := self._idle.pop()).transport.is_closing():
                return connection
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(Connection, *self._address))[1]


class Connection(asyncio.Protocol):
    """By a protocol, since a stream forgets the answer that came before a reset."""

    transport: asyncio.Transport
    answer: "asyncio.Future[tuple[bytes, bytes]] | None" = None
    received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), transport
        self.transport = transport
        wire = transport.get_extra_info("socket")
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)

    def ask(self, payload: bytes) -> "asyncio.Future[tuple[bytes, bytes]]":
        """Head, in lower case, and body."""
        self.received, self.answer = b"", asyncio.get_running_loop().create_future()
        self.transport.write(payload)
        if self.transport.is_closing():
            self.connection_lost(None)
        return self.answer

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        length = LENGTH.search(head := head.lower())
        whole = len(body) >= int(length[1]) if length else body.endswith(b"0\r\n\r\n")
        if end and whole and self.answer and not self.answer.done():
            self.answer.set_result((head, body))

    def connection_lost(self, error: Exception | None) -> None:
        if self.answer and not self.answer.done():
            self.answer.set_exception(error or EOFError())


def main() -> None:
    words, key = new_parser("open-loop", __doc__), os.environ.get("TELLTALE_KEY", "")
    words.add_argument("clip", type=contents)
    words.add_argument("--url", default="http://127.0.0.1:8000", help="the running service")
    words.add_argument("--path", default="/predict")
    words.add_argument("--raw", action="store_true", help="the clip is the whole body, no form")
    words.add_argument("--rate", type=positive, help="requests a second, Poisson")
    words.add_argument("--clients", type=counted, default=1, help="closed loops, without --rate")
    words.add_argument("--seconds", type=float, default=10.0)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--key", default=key, help="a bearer key; or set TELLTALE_KEY")
    print(orjson.dumps(offer_here(Plan(**vars(words.parse_args()))).figures()).decode())


if __name__ == "__main__":
    main()
