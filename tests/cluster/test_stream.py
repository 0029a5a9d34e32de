"""Live sound passes HAProxy and Serve to a replica, and its answers come back while it is sent."""

import threading
from collections.abc import Iterator

from serve_app.client.analysis_answers import StreamPrediction, StreamReady
from serve_app.client.client import Client
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
