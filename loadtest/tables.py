"""A table of words, written for the terminal, for Markdown and, by a template, for a page."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Table:
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def _widths(self) -> list[int]:
        return [max(map(len, column)) for column in zip(self.head, *self.rows, strict=True)]

    def as_text(self) -> str:
        """The first column to the left, figures to the right."""
        widths = self._widths()
        lines = [
            "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
            for row in (self.head, *self.rows)
        ]
        note = [f"({self.note})"] if self.note else []
        return "\n".join([self.title, *(f"  {line}" for line in [*lines, *note])])

    def as_markdown(self) -> str:
        widths = self._widths()
        rows = [self.head, ["-" * width for width in widths], *self.rows]
        return "\n".join(f"| {' | '.join(map(str.ljust, row, widths))} |" for row in rows)


def number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def write_json(path: Path, facts: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
