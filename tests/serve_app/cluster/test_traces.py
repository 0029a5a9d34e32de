"""traces.py: off by default; refused in words; a collector gets what it is sent."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module

import pytest
from opentelemetry.sdk.trace import TracerProvider
from ray.serve.schema import TracingConfig

from data.errors import InvalidParameter
from serve_app.cluster import traces
from serve_app.cluster.traces import EXPORTER, tracing_config


def test_nothing_is_traced_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tracing_config("") == {}
    monkeypatch.setattr(traces, "_installed", lambda: True)
    asked = tracing_config("http://localhost:4318")["tracing_config"]
    found = TracingConfig.model_validate(asked)
    assert (found.enabled, found.exporter_import_path) == (True, EXPORTER)
    assert found.sampling_ratio == 0.01


def test_a_place_that_is_none_or_that_nothing_can_send_to_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(
        InvalidParameter, match="TELLTALE_TRACES must be a collector's .* got 'jaeger'"
    ):
        tracing_config("jaeger")
    monkeypatch.setattr(traces, "_installed", lambda: False)
    with pytest.raises(InvalidParameter, match="pip install opentelemetry-exporter-otlp"):
        tracing_config("http://localhost:4318")


@pytest.fixture
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    got: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    server.server_close()


def test_a_collector_gets_spans_without_the_key_in_an_address(
    collector: tuple[str, list[tuple[str, bytes]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(traces.PACKAGE)
    address, got = collector
    monkeypatch.setenv(traces.VARIABLE, address)
    module, _, name = EXPORTER.partition(":")
    provider = TracerProvider()
    for processor in getattr(import_module(module), name)():
        provider.add_span_processor(processor)
    asked = {"url.path": "/ui", "url.query": "key=tt_secret"}
    provider.get_tracer("test").start_span("a request", attributes=asked).end()
    provider.shutdown()
    ((path, body),) = got
    assert path == "/v1/traces"
    assert b"a request" in body
    assert b"secret" not in body
