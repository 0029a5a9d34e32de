"""Problem documents of HAProxy's own, worded as the service words its own."""

import json

PROBLEM = "application/problem+json"


def reply(status: int, title: str, detail: str, retry_after_s: str = "1") -> str:
    """What a `return` says; `retry_after_s` may be worked out by HAProxy."""
    text = problem(status, title, detail)
    kind = f"content-type {PROBLEM} hdr Retry-After {retry_after_s}"
    return f"status {status} {kind} string '{text}'"


def problem(status: int, title: str, detail: str) -> str:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return json.dumps(body | {"request_id": ""}, separators=(",", ":"))


def raw_reply() -> str:
    """503 on the wire: when to come back is the same whatever ended."""
    words = "the part that answers is restarting; try again in a few seconds"
    body = problem(503, "Not ready", words)
    head = [
        "HTTP/1.1 503 Service Unavailable",
        f"Content-Type: {PROBLEM}",
        "Retry-After: 1",
        "Cache-Control: no-cache",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*head, "", body])
