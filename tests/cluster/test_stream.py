"""Live sound passes HAProxy and Serve to a replica, and its answers come back while it is sent."""

import threading
from collections.abc import Iterator

import pytest

from serve_app.client.analysis_answers import StreamPrediction, StreamReady
from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.http.routes.stream_routes import MESSAGE_BYTES
from support.inputs.sounds import tone
from support.service import Service

PATIENCE_S = 60


def test_answers_come_while_sound_is_sent(service: Service) -> None:
    answered = threading.Event()

    def sound() -> Iterator[bytes]:
        yield tone(500, seconds=2.0, rate_hz=8_000)[44:]
        assert answered.wait(PATIENCE_S)
        yield bytes(8_000)

    kinds = set()
    with Client(service.url, service.admin_key) as client:
        for found in client.stream("keywords", sound(), 8_000):
            kinds.add(type(found))
            if isinstance(found, StreamPrediction):
                answered.set()
    assert {StreamReady, StreamPrediction} <= kinds


def test_a_message_that_is_too_long_ends_the_stream(service: Service) -> None:
    with (
        Client(service.url, service.admin_key) as client,
        pytest.raises(ServiceError, match=r"1009"),
    ):
        list(client.stream("keywords", iter([bytes(MESSAGE_BYTES + 2)]), 8_000))
