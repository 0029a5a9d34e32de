"""What Serve calls in each of its processes that is traced: see `traces.py`."""

import os

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import Span, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from serve_app.cluster.traces import VARIABLE

QUERY = "url.query"
FLUSH_MS = 2000


class WithoutQuery(SpanProcessor):
    """The page is opened with a key in its address, which FastAPI would write into the span."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if QUERY in (span.attributes or {}):
            span.set_attribute(QUERY, "")


def exporter() -> list[SpanProcessor]:
    sending = OTLPSpanExporter(endpoint=f"{os.environ[VARIABLE].rstrip('/')}/v1/traces")
    return [WithoutQuery(), BatchSpanProcessor(sending, schedule_delay_millis=FLUSH_MS)]
