"""responses.py: an answer is of the kind that its caller would rather have."""

import pytest
from fastapi import Request

from serve_app.http.answers.responses import preferred

KINDS = ("application/json", "text/csv")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/csv", "text/csv"),
        ("TEXT/CSV; charset=utf-8", "text/csv"),
        ("text/*", "text/csv"),
        ("text/csv, */*", "text/csv"),
        ("application/json, text/csv", "application/json"),
        ("application/json;q=0.5, text/csv", "text/csv"),
        ("text/csv;q=0.2, application/json;q=0.9", "application/json"),
        ("text/csv;q=0, */*", "application/json"),
        ("application/json;q=0, */*;q=0.1", "text/csv"),
        ("text/*;q=0.9, text/csv;q=0.1, application/json;q=0.5", "application/json"),
        ("image/png", "application/json"),
        ("text/csv;q=much", "text/csv"),
        (",;=q=, text/csvs", "application/json"),
        ("," * 60 + "text/csv", "application/json"),  # nobody means what stands so far behind
    ],
)
def test_what_a_caller_accepts_is_weighed(accept: str | None, kind: str) -> None:
    headers = [] if accept is None else [(b"accept", accept.encode())]
    assert preferred(Request({"type": "http", "headers": headers}), KINDS) == kind
