"""Server-sent events: `field: value` lines; a blank line ends one, a colon starts a comment."""

from collections.abc import Iterator


def server_events(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    """The fields of each: its `data`, and `event` and `id` where they are told."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line and "data" in fields:
            yield fields
            fields = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(":")
            fields[name] = value.strip()
