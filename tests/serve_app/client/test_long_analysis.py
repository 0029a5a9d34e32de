"""long_analysis.py: what breaks off goes on where the service has it."""

import io
from collections.abc import Callable

import httpx
import pytest

from serve_app.client import connection, long_analysis
from serve_app.client.client import Client
from serve_app.client.connection import ServiceError

RAW = bytes(range(200))


class Tus:
    """A service that takes parts; `troubles` are what comes of the next ones."""

    def __init__(self, *troubles: Callable[[bytes], httpx.Response]) -> None:
        self.came = b""
        self.troubles = list(troubles)

    def __call__(self, request: httpx.Request) -> httpx.Response:
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


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LONGEST_WAIT_S", 0.0)
    monkeypatch.setattr(long_analysis, "PART_BYTES", 64)


def client_of(service: Tus) -> Client:
    client = Client("http://service")
    client._pool = httpx.Client(transport=httpx.MockTransport(service))
    return client


def test_it_goes_on_behind_what_has_come() -> None:
    service = Tus()
    service.troubles = [service.half_is_lost, service.the_answer_is_lost, service.half_is_lost]
    with client_of(service) as client:
        assert client.upload_recording("faults", io.BytesIO(RAW)) == "7"
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
