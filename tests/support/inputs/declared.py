"""Asks a service, and holds each answer against what its own OpenAPI document declares."""

import re
from collections.abc import Iterator
from typing import Any

from httpx2 import Response
from jsonschema import Draft202012Validator
from starlette.testclient import TestClient

PROBLEM = "application/problem+json"


class Declared:
    """`answered` has each operation and status that was seen."""

    def __init__(self, client: TestClient, keys: dict[str, str]) -> None:
        """`keys` by role."""
        self._client = client
        self._keys = keys
        self.document: dict[str, Any] = client.get("/openapi.json").json()
        self._components = closed(self.document["components"])
        self.answered: set[tuple[str, str, int]] = set()

    def operations(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                yield method.upper(), path, operation

    def ask(
        self, method: str, path: str, status: int = 200, role: str = "admin", **asked: Any
    ) -> Response:
        """The answer, which has this status and is as declared. `role` is "" for no key."""
        headers = {"authorization": f"Bearer {self._keys[role]}"} if role else {}
        headers |= asked.pop("headers", {})
        found = self._client.request(method, path, headers=headers, **asked)
        assert found.status_code == status, (method, path, found.status_code, found.text)
        self._must_be_declared(method, path.partition("?")[0], found)
        return found

    def _must_be_declared(self, method: str, path: str, found: Response) -> None:
        template, operation = self._operation(method, path)
        where = (method, template, found.status_code)
        self.answered.add(where)
        declared = operation["responses"].get(str(found.status_code))
        assert declared is not None, f"{where} is not declared"
        kind = found.headers.get("content-type", "").partition(";")[0]
        assert not kind or kind in declared["content"], f"{where} answers {kind}"
        assert kind or "content" not in declared, f"{where} answers nothing"
        if kind.endswith("json") and found.content:  # HEAD has none
            self._must_fit(declared["content"][kind]["schema"], found.json(), where)

    def _operation(self, method: str, path: str) -> tuple[str, dict[str, Any]]:
        for verb, template, operation in sorted(self.operations(), key=lambda row: "{" in row[1]):
            pattern = re.sub(r"\{\w+\}", "[^/]+", template)
            if verb == method and re.fullmatch(pattern, path):
                return template, operation
        raise AssertionError(f"{method} {path} is not declared")

    def _must_fit(self, schema: dict[str, Any], body: object, where: object) -> None:
        validator = Draft202012Validator({**schema, "components": self._components})
        errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(body)]
        assert errors == [], (where, errors)


def closed(schema: Any) -> Any:
    """No key goes out that is not declared, whatever a client puts up with."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: closed(each) for name, each in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        found.setdefault("additionalProperties", False)
    return found
