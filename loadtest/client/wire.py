"""A lean asyncio HTTP/1.1 client: one fixed request over and over, on kept-alive connections.

It costs a tenth of a general client, so that what is measured is the server.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from loadtest.client.clip import FORM_TYPE, form


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes
    started: float
    ended: float


@dataclass
class Tally:
    replies: list[Reply] = field(default_factory=list)
    broken: list[tuple[float, str]] = field(default_factory=list)

    @property
    def refused(self) -> list[Reply]:
        return [reply for reply in self.replies if reply.status != 200]

    def failed(self) -> int:
        return len(self.broken) + len(self.refused)


def multipart_request(url: str, clip: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """The bytes of a POST with the clip as form part `file`."""
    return post(url, FORM_TYPE, form("file", [clip]), headers)


def post(
    url: str, content_type: str, body: bytes, headers: Mapping[str, str] | None = None
) -> bytes:
    parts = urlsplit(url)
    extra = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    head = (
        f"POST {parts.path or '/'} HTTP/1.1\r\n"
        f"Host: {parts.netloc}\r\n"
        f"Content-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"{extra}\r\n"
    )
    return head.encode() + body


async def hammer(
    url: str, request: bytes, clients: int, going: Callable[[], bool], tally: Tally
) -> None:
    """`clients` closed loops, each sending its next request when the last is answered."""
    await asyncio.gather(*(_loop(url, request, going, tally) for _ in range(clients)))


async def _loop(url: str, request: bytes, going: Callable[[], bool], tally: Tally) -> None:
    parts = urlsplit(url)
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    while going():
        started = time.perf_counter()
        try:
            if streams is None:
                streams = await asyncio.open_connection(parts.hostname, parts.port)
            reader, writer = streams
            writer.write(request)
            status, body, keep = await _reply(reader)
            tally.replies.append(Reply(status, body, started, time.perf_counter()))
        except (OSError, EOFError, ValueError) as error:
            tally.broken.append((started, repr(error)))
            keep = False
        if not keep:
            if streams is not None:
                streams[1].close()
            streams = None
            if tally.broken and tally.broken[-1][0] == started:
                await asyncio.sleep(0.01)
    if streams is not None:
        streams[1].close()


async def _reply(reader: asyncio.StreamReader) -> tuple[int, bytes, bool]:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines[1:] if line)
    }
    status = int(lines[0].split(" ")[1])
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = await _chunks(reader)
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return status, body, headers.get("connection", "").lower() != "close"


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while True:
        size = int(await reader.readuntil(b"\r\n"), 16)
        body += (await reader.readexactly(size + 2))[:-2]
        if size == 0:
            return body
