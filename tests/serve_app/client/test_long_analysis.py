"""long_analysis.py: what breaks off goes on where the service has it."""

import asyncio
import io
from collections.abc import Callable
from typing import BinaryIO

import httpx
import pytest

from serve_app.client import connection, long_analysis
from serve_app.client.client import AsyncClient, Client
from serve_app.client.connection import ServiceError

RAW = bytes(range(200))


class Tus:
    """A service that takes parts; `troubles` are what comes of the next ones."""

    def __init__(self, *troubles: Callable[[bytes], httpx.Response]) -> None:
        self.came = b""
        self.troubles = list(troubles)
        self.withdrawn: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "DELETE":
            self.withdrawn.append(request.url.path)
            return httpx.Response(404 if "/jobs/" in request.url.path else 204)
        if request.url.path.endswith("/analyze"):
            raise KeyboardInterrupt
        if request.method == "POST":
            return httpx.Response(201, headers={"location": "/faults/uploads/7"})
        if request.method == "PATCH":
            if int(request.headers["upload-offset"]) != len(self.came):
                return httpx.Response(409)
            if self.troubles:
                return self.troubles.pop(0)(request.content)
            self.came += request.content
        return httpx.Response(204, headers={"upload-offset": str(len(self.came))})

    def half_is_lost(self, part: bytes) -> httpx.Response:
        self.came += part[: len(part) // 2]
        raise httpx.ReadError("the line is gone")

    def the_answer_is_lost(self, part: bytes) -> httpx.Response:
        self.came += part
        return httpx.Response(502)


class Line(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """To a service; as on a socket, a body is read once, and goes whole."""

    def __init__(self, service: Tus) -> None:
        self._service = service

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.SyncByteStream)
        return self._answer(request, b"".join(request.stream))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        return self._answer(request, b"".join([piece async for piece in request.stream]))

    def _answer(self, request: httpx.Request, body: bytes) -> httpx.Response:
        length = request.headers.get("content-length")
        if length is not None and int(length) != len(body):
            raise RuntimeError("too little data for declared Content-Length")
        headers = dict(request.headers)
        return self._service(
            httpx.Request(request.method, request.url, headers=headers, content=body)
        )


Either = Callable[[Tus, BinaryIO], str]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LONGEST_WAIT_S", 0.0)
    monkeypatch.setattr(long_analysis, "PART_BYTES", 64)


def client_of(service: Tus) -> Client:
    client = Client("http://service")
    client._pool = httpx.Client(transport=Line(service))
    return client


def uploaded(service: Tus, recording: BinaryIO) -> str:
    with client_of(service) as client:
        return client.upload_recording("faults", recording)


def uploaded_async(service: Tus, recording: BinaryIO) -> str:
    async def upload() -> str:
        async with AsyncClient("http://service") as client:
            client._pool = httpx.AsyncClient(transport=Line(service))
            return await client.upload_recording("faults", recording)

    return asyncio.run(upload())


@pytest.fixture(params=[uploaded, uploaded_async])
def either(request: pytest.FixtureRequest) -> Either:
    """Of both clients."""
    found: Either = request.param
    return found


def test_it_goes_on_behind_what_has_come(either: Either) -> None:
    service = Tus()
    service.troubles = [service.half_is_lost, service.the_answer_is_lost, service.half_is_lost]
    assert either(service, io.BytesIO(RAW)) == "7"
    assert service.came == RAW


def busy(part: bytes) -> httpx.Response:
    return httpx.Response(429, headers={"retry-after": "0"})


def test_a_service_that_is_busy_is_given_the_part_again(either: Either) -> None:
    service = Tus(busy, busy)
    assert either(service, io.BytesIO(RAW)) == "7"
    assert service.came == RAW


def test_a_service_that_takes_nothing_is_given_up() -> None:
    service = Tus(*[lambda part: httpx.Response(503, json={"detail": "no room"})] * 99)
    with client_of(service) as client, pytest.raises(ServiceError, match="no room"):
        client.upload_recording("faults", io.BytesIO(RAW))
    assert len(service.troubles) > 80


def test_parts_that_are_taken_for_nothing_are_not_sent_for_ever() -> None:
    service = Tus(*[lambda part: httpx.Response(204, headers={"upload-offset": "0"})] * 99)
    with client_of(service) as client, pytest.raises(ServiceError, match="only 0 are taken"):
        client.upload_recording("faults", io.BytesIO(RAW))


def test_a_refusal_is_not_tried_again() -> None:
    service = Tus(lambda part: httpx.Response(415, json={"detail": "a PDF document"}))
    with client_of(service) as client, pytest.raises(ServiceError, match="a PDF document"):
        client.upload_recording("faults", io.BytesIO(RAW))
    assert service.came == b""


def interrupted(part: bytes) -> httpx.Response:
    raise KeyboardInterrupt


def test_an_upload_that_is_interrupted_is_withdrawn(either: Either) -> None:
    service = Tus(interrupted)
    with pytest.raises(KeyboardInterrupt):
        either(service, io.BytesIO(RAW))
    assert service.withdrawn == ["/faults/uploads/7"]


def test_an_analysis_that_is_interrupted_is_withdrawn_with_its_recording() -> None:
    service = Tus()
    with client_of(service) as client, pytest.raises(KeyboardInterrupt):
        client.analyze_as_job("faults", io.BytesIO(RAW))
    assert service.withdrawn == ["/faults/jobs/7", "/faults/uploads/7"]
