"""Server-sent events: `field: value` lines; a blank line ends one, a colon starts a comment."""


class EventReader:
    """Is told the lines of an answer, one after another."""

    def __init__(self) -> None:
        self._fields: dict[str, str] = {}

    def take(self, line: str) -> dict[str, str] | None:
        """The event that ends here: its `data`, and `event` and `id` where they are told."""
        if not line and "data" in self._fields:
            fields, self._fields = self._fields, {}
            return fields
        if line and not line.startswith(":"):
            name, _, value = line.partition(":")
            self._fields[name] = value.strip()
        return None
