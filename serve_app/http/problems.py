"""Mistakes as RFC 9457 problem documents."""

import logging
from http import HTTPStatus
from typing import Any, get_args

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from ray import exceptions as ray_exceptions
from starlette.exceptions import HTTPException
from starlette.responses import Response

from data import errors
from serve_app.http import unrouted
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
        known = ", ".join(_keys_of_body(request))
        detail = "; ".join(_in_words(each, known) for each in error.errors())
        return _response(request, 400, "Bad parameter", detail)

    async def answer_unrouted(request: Request, error: Exception) -> Response:
        """Also what a route raises by itself, which has words already."""
        assert isinstance(error, HTTPException), error
        status = error.status_code
        if error.__cause__ or error.detail != HTTPStatus(status).phrase or status not in {404, 405}:
            return response(request, error)
        if status == 404 and (moved := unrouted.without_slash(request)):
            return moved
        allow = (error.headers or {}).get("Allow", "")
        detail, allowed = await unrouted.in_words(request, status, allow)
        found = _response(request, status, HTTPStatus(status).phrase, detail)
        if allowed:
            found.headers["Allow"] = allowed
        return found

    app.add_exception_handler(errors.TelltaleError, answer)
    app.add_exception_handler(ray_exceptions.RayError, answer)
    app.add_exception_handler(HTTPException, answer_unrouted)
    app.add_exception_handler(RequestValidationError, answer_invalid)
    app.add_exception_handler(Exception, answer)


def _in_words(error: dict[str, Any], known: str) -> str:
    """What pydantic says, but where that helps nobody who asks by curl."""
    where, kind = ".".join(map(str, error["loc"][1:])), error["type"]
    if kind == "json_invalid":
        return f"the body is not JSON: {error['ctx']['error']}"
    if error["loc"] == ("body",):
        return f"the body must be a JSON object ({known}), sent as Content-Type: application/json"
    if kind == "extra_forbidden" and known:
        return f"there is no {where!r}; there are {known}"
    return f"{where}: {error['msg']}"


def _keys_of_body(request: Request) -> list[str]:
    """Of the JSON that the route takes, where it takes some."""
    field = getattr(request.scope.get("route"), "body_field", None)
    annotation = field.field_info.annotation if field else None
    kinds = (annotation, *get_args(annotation))
    models = [each for each in kinds if isinstance(each, type) and issubclass(each, BaseModel)]
    return [name for model in models for name in model.model_fields]


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
