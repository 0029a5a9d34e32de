"""Events of a recording in the form that somebody asked for: JSON, or one of the tables."""

import asyncio
from collections.abc import Sequence

from fastapi import Request
from starlette.responses import Response

from data.errors import InvalidParameter
from models.analysis.sound_events import Event
from models.analysis.tables import TABLES
from serve_app.http.answers.responses import preferred
from serve_app.http.openapi import BINARY, JSON, TEXT, parameter

EVENT_STREAM = "text/event-stream"
FORMS = {JSON: "json"} | {TABLES[name][0]: name for name in TABLES}
FORMAT = parameter("format", "query", "beside Accept", type="string", enum=["json", *TABLES])
TABLE_KINDS = {kind: TEXT if kind.startswith("text/") else BINARY for kind, _ in TABLES.values()}


def format_of(request: Request, *others: str) -> str:
    """A name of TABLES, "json", or one of these `others` by its media type; raises
    InvalidParameter."""
    wish = request.query_params.get("format")
    if wish is None:
        kind = preferred(request, (*FORMS, *others))
        return FORMS.get(kind, kind)
    if wish not in {"json", *TABLES}:
        known = ", ".join(("json", *TABLES))
        raise InvalidParameter(f"format must be one of {known}, got {wish[:40]!r}")
    return wish


async def as_table(name: str, events: Sequence[Event], rate_hz: float, version: str) -> Response:
    """Made in a thread: a day has thousands of events."""
    media_type, table = TABLES[name]
    content = await asyncio.to_thread(table, events, rate_hz)
    headers = {"X-Model-Version": version, "X-Content-Type-Options": "nosniff"}
    return Response(content, headers=headers, media_type=media_type)
