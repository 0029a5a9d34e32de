"""What OpenAPI is told of the routes that FastAPI cannot see in their signatures.

`@router.get("/x", **openapi_of(404, role="admin"))`: the statuses a route refuses with, whose key
it needs, a body that it reads by itself, an answer that is no JSON.
"""

import threading
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from serve_app.client.answers import Problem
from serve_app.client.protocol_answers import InferenceProblem
from serve_app.statuses import STATUS

JSON, PROBLEM = "application/json", "application/problem+json"
BINARY = {"type": "string", "format": "binary"}
TEXT = {"type": "string"}
INVALID = {"$ref": "#/components/schemas/HTTPValidationError"}
AS_JSON = {"$ref": f"#/components/schemas/{InferenceProblem.__name__}"}
BEARER = {"HTTPBearer": {"type": "http", "scheme": "bearer"}}
ROLE = "x-role"  # of an operation: the least that may call it
KEYED: dict[str, list[str]] = {"HTTPBearer": []}
OF_A_KEY = {"anonymous": (401, 503), "viewer": (401, 503)}  # any key is a viewer's: no 403
LATER = {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}}

Schema = Mapping[str, object]


def openapi_of(
    *refusals: int,
    role: str | None = None,
    body: Mapping[str, Schema] | None = None,
    parameters: tuple[Schema, ...] = (),
    content: Mapping[str, Schema] | None = None,
) -> dict[str, Any]:
    """Arguments of a route's decorator. `role` is the least that may call it, None where no key is
    looked at; `body` and `content` are schemas by media type, of what it reads and answers."""
    keyed = () if role is None else OF_A_KEY.get(role, (401, 403, 503))
    responses: dict[int, dict[str, Any]] = {
        status: refusal(status) for status in sorted({*refusals, *keyed})
    }
    if content:
        responses[200] = {"content": {kind: {"schema": schema} for kind, schema in content.items()}}
    extra: dict[str, Any] = {}
    if role is not None:
        extra[ROLE] = role
        extra["security"] = [{}, KEYED] if role == "anonymous" else [KEYED]
    if body:
        kinds = {kind: {"schema": schema} for kind, schema in body.items()}
        extra["requestBody"] = {"required": True, "content": kinds}
    if parameters:
        extra["parameters"] = list(parameters)
    return {
        "responses": responses,
        "openapi_extra": extra,
        "response_model_exclude_unset": True,  # what may be missing is then missing
    }


def form(required: tuple[str, ...], **parts: Schema) -> dict[str, Schema]:
    """A body of `openapi_of`; `parts` are schemas by name."""
    schema = {"type": "object", "required": list(required), "properties": parts}
    return {"multipart/form-data": schema}


def many(schema: Schema) -> Schema:
    return {"type": "array", "items": schema, "minItems": 1}


def parameter(name: str, where: str, description: str, **schema: object) -> Schema:
    return {"name": name, "in": where, "description": description, "schema": schema}


def install(app: FastAPI) -> None:
    generated, lock = app.openapi, threading.Lock()
    found: dict[str, Any] = {}

    def once() -> dict[str, Any]:
        with lock:
            if not found:
                found.update(documented(generated()))
        return found

    app.openapi = once  # type: ignore[method-assign]


def documented(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with problems as what they are, which FastAPI declares as plain JSON (some are),
    and without its own 422 for parameters, which are answered here by 400."""
    for operations in schema["paths"].values():
        for operation in operations.values():
            answers = operation["responses"]
            invalid = answers.get("422", {}).get("content", {}).get(JSON, {}).get("schema")
            if invalid == INVALID:
                del answers["422"]
            for status, found in answers.items():
                told = found.get("content", {}).get(JSON)
                if int(status) >= 400 and told and told["schema"] != AS_JSON:
                    found["content"] = {PROBLEM: told}
    components = schema["components"]
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    components["securitySchemes"] = BEARER
    return schema


def refusal(status: int) -> dict[str, Any]:
    titles = (title for code, title in STATUS.values() if code == status)
    found = {"model": Problem, "description": next(titles, HTTPStatus(status).phrase)}
    return {**found, "headers": LATER} if status in {429, 503} else found
