"""Whether requests are traced: by Ray Serve's own tracing, off unless TELLTALE_TRACES is set.

Serve makes a span for each request it passes on, joins those of a caller that sends `traceparent`,
and takes one request in a hundred, or the share that RAY_SERVE_TRACING_SAMPLING_RATIO says.
"""

from importlib.util import find_spec
from typing import Any

from data.errors import InvalidParameter

VARIABLE = "TELLTALE_TRACES"
PACKAGE = "opentelemetry.exporter.otlp.proto.http"
EXPORTER = "serve_app.cluster.span_export:exporter"


def tracing_config(collector: str) -> dict[str, Any]:
    """Serve's own, for the address of a collector (OTLP over HTTP). Raises InvalidParameter."""
    if not collector:
        return {}
    if not collector.startswith(("http://", "https://")):
        raise InvalidParameter(
            f"{VARIABLE} must be a collector's address, as http://localhost:4318; got {collector!r}"
        )
    if not _installed():
        raise InvalidParameter(
            f"{VARIABLE} needs a package: pip install opentelemetry-exporter-otlp-proto-http"
        )
    return {"tracing_config": {"enabled": True, "exporter_import_path": EXPORTER}}


def _installed() -> bool:
    try:
        return find_spec(PACKAGE) is not None
    except ModuleNotFoundError:  # of a package above it
        return False
