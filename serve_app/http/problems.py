"""Mistakes as RFC 9457 problem documents, and as the API page describes them."""

import logging
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from ray import exceptions as ray_exceptions
from starlette.exceptions import HTTPException
from starlette.responses import Response

from data import errors
from serve_app.statuses import explain

log = logging.getLogger("ray.serve")

JSON, PROBLEM = "application/json", "application/problem+json"
INVALID = {"$ref": "#/components/schemas/HTTPValidationError"}
OURS = {"$ref": "#/components/schemas/Problem"}


def problem(status: int, title: str, detail: str, request_id: str) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "request_id": request_id,
    }


def install(app: FastAPI) -> None:
    async def answer(request: Request, error: Exception) -> Response:
        return response(request, error)

    async def answer_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError), error
        detail = "; ".join(
            f"{'.'.join(str(p) for p in e['loc'][1:]) or 'body'}: {e['msg']}"
            for e in error.errors()
        )
        return _response(request, 400, "Bad parameter", detail)

    app.add_exception_handler(errors.TelltaleError, answer)
    app.add_exception_handler(ray_exceptions.RayError, answer)
    app.add_exception_handler(HTTPException, answer)
    app.add_exception_handler(RequestValidationError, answer_invalid)
    app.add_exception_handler(Exception, answer)
    generated = app.openapi
    app.openapi = lambda: documented(generated())  # type: ignore[method-assign]


def response(request: Request, error: Exception) -> Response:
    status, title, detail = explain(error)
    if status >= 500 and not isinstance(error, errors.TelltaleError):
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    found = _response(request, status, title, detail)
    if isinstance(error, HTTPException):
        found.headers.update(error.headers or {})
    if status in {429, 503}:
        found.headers["Retry-After"] = str(getattr(error, "retry_after_s", 1))
    if status == 401:
        found.headers["WWW-Authenticate"] = "Bearer"
    return found


def documented(schema: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI schema with problems as what they are: FastAPI declares them as plain JSON, and
    of its own a 422 for parameters that are answered here by 400."""
    for operations in schema["paths"].values():
        for operation in operations.values():
            answers = operation["responses"]
            invalid = answers.get("422", {}).get("content", {}).get(JSON, {}).get("schema")
            if invalid == INVALID:
                del answers["422"]
                answers["400"] = {"description": "Bad Request", "content": {JSON: {"schema": OURS}}}
            for status, found in answers.items():
                if int(status) >= 400 and JSON in found.get("content", {}):
                    found["content"] = {PROBLEM: found["content"][JSON]}
    for unused in ("HTTPValidationError", "ValidationError"):
        schema["components"]["schemas"].pop(unused, None)
    return schema


def _response(request: Request, status: int, title: str, detail: str) -> Response:
    request_id = request.headers.get("x-request-id", "")
    return Response(
        orjson.dumps(problem(status, title, detail, request_id)),
        status_code=status,
        media_type=PROBLEM,
    )
