"""Sends a recording of any length and waits for its events, for as long as there is progress."""

from collections.abc import Callable, Mapping
from typing import BinaryIO

import httpx

from .analysis_answers import Analysis, Progress
from .answers import Problem
from .connection import Connection, ServiceError, checked
from .server_events import server_events

SILENCE_S = 120.0  # another recording may be analysed there between two lines of progress


def analyze(
    link: Connection,
    domain: str,
    recording: BinaryIO,
    wishes: Mapping[str, str | list[str]],
    watch: Callable[[Progress], None],
) -> Analysis:
    """Raises ServiceError. It is sent once, from where the file stands: it is not asked again."""
    request = link.pool.build_request(
        "POST",
        f"{link.url.rstrip('/')}/{domain}/analyze",
        params=dict(wishes),
        headers={**link.own_headers(), "Accept": "text/event-stream"},
        content=recording,
        timeout=httpx.Timeout(link.timeout_s, read=SILENCE_S),
    )
    try:
        response = link.pool.send(request, stream=True)
        try:
            if response.is_error:
                response.read()
            return _followed(checked(response), watch)
        finally:
            response.close()
    except httpx.TransportError as error:
        raise link.away(error) from error


def _followed(response: httpx.Response, watch: Callable[[Progress], None]) -> Analysis:
    for event in server_events(response.iter_lines()):
        if event["event"] == "result":
            return Analysis.model_validate_json(event["data"])
        if event["event"] == "failed":
            problem = Problem.model_validate_json(event["data"])
            raise ServiceError(problem.detail, problem.status, problem.request_id)
        watch(Progress.model_validate_json(event["data"]))
    raise ServiceError("the answer ended before the recording was heard; send it again")
