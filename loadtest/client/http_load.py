"""The HTTP/1.1 client of every load: one fixed request on kept-alive connections, kept lean.

A protocol on the transport instead of streams: 0.13 ms of CPU for a clip of 160 KB, a tenth of a
general client's, so that what is measured is the server. Connections are made as they are needed
and used again while idle.
"""

import asyncio
import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

SEND_BUFFER = 1 << 20  # a whole clip leaves in one system call
PATIENCE_S = 15.0  # for what is still unanswered when the load is over
BROKEN = 0
PAUSE_S = 0.01  # of a closed loop after a broken request: the next would end the same way


def post(url: str, content_type: str, body: bytes, key: str = "") -> bytes:
    """The bytes of a POST request, with `key` as its bearer."""
    parts = urlsplit(url)
    lines = [
        f"POST {parts.path or '/'} HTTP/1.1",
        f"Host: {parts.netloc}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        *([f"Authorization: Bearer {key}"] if key else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Load:
    """Rows of what was sent and what came back; all moments in seconds from `begin`."""

    def __init__(self, url: str, request: bytes) -> None:
        self.request = request
        self.due: list[float] = []
        self.sent: list[float] = []
        self.ended: list[float] = []
        self.status: list[int] = []
        self.retry_after: list[bool] = []
        self.bodies: list[bytes] = []
        self.answered: Callable[[], None] = lambda: None
        self.unconnected = 0
        self.idle: list[Connection] = []
        parts = urlsplit(url)
        self._address = str(parts.hostname), parts.port or 80
        self._open = 0
        self._connecting: set[asyncio.Task[None]] = set()
        self._started = 0.0

    def begin(self) -> None:
        self._started = time.perf_counter()

    def now(self) -> float:
        return time.perf_counter() - self._started

    def launch(self, due: float) -> None:
        row = len(self.due)
        self.due.append(due)
        self.sent.append(self.now())
        self.ended.append(float("nan"))
        self.status.append(BROKEN)
        self.retry_after.append(False)
        self.bodies.append(b"")
        self._open += 1
        if self.idle:
            self.idle.pop().ask(row)
            return
        task = asyncio.create_task(self._connect(row))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, row: int) -> None:
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: Connection(self), *self._address
            )
            connection.ask(row)
        except OSError:
            self.unconnected += 1
            self.close(row, BROKEN, False, b"")

    def close(self, row: int, status: int, retry_after: bool, body: bytes) -> None:
        self.ended[row] = self.now()
        self.status[row] = status
        self.retry_after[row] = retry_after
        self.bodies[row] = body
        self._open -= 1
        if status == BROKEN:
            asyncio.get_running_loop().call_later(PAUSE_S, self.answered)
        else:
            self.answered()

    async def drained(self) -> None:
        """Until all is answered or patience is over; what is still open then ends as broken."""
        deadline = self.now() + PATIENCE_S
        while self._open and self.now() < deadline:
            await asyncio.sleep(0.02)
        now = self.now()
        self.ended = [now if ended != ended else ended for ended in self.ended]


class Connection(asyncio.Protocol):
    def __init__(self, load: Load) -> None:
        self._load = load
        self._row: int | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), transport
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER
        )

    def ask(self, row: int) -> None:
        self._row = row
        self._received = b""
        self._transport.write(self._load.request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        found = parsed(self._received)
        if found is None or self._row is None:
            return
        status, head, body = found
        # Refused before the whole clip was sent: the rest of it would be taken for a request.
        if b"connection: close" in head or self._transport.get_write_buffer_size():
            self._transport.abort()
        else:
            self._load.idle.append(self)
        row, self._row = self._row, None
        self._load.close(row, status, b"\r\nretry-after:" in head, body)

    def connection_lost(self, error: Exception | None) -> None:
        if self in self._load.idle:
            self._load.idle.remove(self)
        if self._row is not None:
            self._load.close(self._row, BROKEN, False, b"")
            self._row = None


def parsed(received: bytes) -> tuple[int, bytes, bytes] | None:
    """Status, head in lower case, body; None while the answer is not complete."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = received[:end].lower()
    body = received[end + 4 :]
    at = head.find(b"\r\ncontent-length:")
    if at >= 0:
        complete = len(body) >= int(head[at + 17 :].split(b"\r\n", 1)[0])
    else:
        complete = body.endswith(b"0\r\n\r\n")
    return (int(received[9:12]), head, body) if complete else None
