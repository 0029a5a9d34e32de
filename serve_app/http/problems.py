"""Mistakes as RFC 9457 problem documents."""

import logging
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from ray import exceptions as ray_exceptions
from starlette.exceptions import HTTPException
from starlette.responses import Response

from data import errors
from serve_app.http.answers.responses import request_id
from serve_app.statuses import explain

log = logging.getLogger("ray.serve")

PROBLEM = "application/problem+json"


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


def response(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and isinstance(error.__cause__, errors.TelltaleError):
        error = error.__cause__  # that is what was wrong: see `after_key` in fast_path.py
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


def _response(request: Request, status: int, title: str, detail: str) -> Response:
    return Response(
        orjson.dumps(problem(status, title, detail, request_id(request))),
        status_code=status,
        media_type=PROBLEM,
    )
