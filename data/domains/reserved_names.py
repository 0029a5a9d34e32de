"""What a domain cannot be called: its name becomes an address and a part of the service."""

from data.errors import InvalidDomain

# The first words of the service's own addresses, and its other parts.
TAKEN = {
    *("analyze", "api", "clips", "curator", "docs", "domains", "events", "feedback", "health"),
    *("healthz", "history", "insights", "jobs", "keys", "livez", "me", "metrics", "models", "ping"),
    *("predict", "predictions", "ready", "readyz", "redoc", "retrain", "setup", "status"),
    *("stream", "transcribe", "ui", "upload", "uploads", "v2", "webhook"),
}


def must_be_free(name: str) -> None:
    """Raises InvalidDomain."""
    if name in TAKEN:
        raise InvalidDomain(
            f"{name}.yaml: a domain cannot be called {name!r}, which is an address or a part of "
            "the service; rename the file"
        )
