"""Where in a recording which label is true, as Raven and Audacity save it: parts with a start, an
end and a label, in seconds.

A Raven selection table has a header and tabs between its columns; Audacity's labels are three
columns without one.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data.datasets.tabular import text_of
from data.errors import InvalidParameter

BEGIN, END = "Begin Time (s)", "End Time (s)"  # of a Raven selection table
FILE = "Begin File"
# What a table calls its labels is left to whoever annotates; these are the usual names.
LABELS = ("label", "annotation", "species", "common name", "class", "tags", "type")


@dataclass(frozen=True, order=True)
class Selection:
    start_s: float
    end_s: float
    label: str


def read_selections(path: Path) -> list[Selection]:
    """In order of time, each once; raises InvalidParameter naming the line that is wrong."""
    try:
        text = text_of(path.read_bytes(), path.name)
    except OSError as error:
        raise InvalidParameter(f"{path.name} cannot be read: {error}") from error
    rows = list(csv.reader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))
    header = [name.strip() for name in rows[0]] if rows else []
    found = (
        _of_raven(header, rows[1:], path.name) if BEGIN in header else _of_audacity(rows, path.name)
    )
    if not found:
        raise InvalidParameter(
            f"{path.name} holds no labels; right are Audacity's (start, end and label with tabs "
            f"between them) or a Raven selection table with {BEGIN!r}, {END!r} and a label"
        )
    return sorted(set(found))


def _of_raven(header: list[str], rows: Sequence[list[str]], name: str) -> list[Selection]:
    """Raven lists a selection once for each view of it."""
    label = next((at for at, column in enumerate(header) if column.lower() in LABELS), None)
    if label is None or END not in header:
        raise InvalidParameter(
            f"{name} needs the columns {BEGIN!r}, {END!r} and one of {', '.join(LABELS)}; "
            f"it has {', '.join(header)}"
        )
    begin, end = header.index(BEGIN), header.index(END)
    filled = [row + [""] * (len(header) - len(row)) for row in rows]
    if FILE in header and len({row[header.index(FILE)] for row in filled if any(row)}) > 1:
        raise InvalidParameter(f"{name} is of several recordings ({FILE}); export one at a time")
    return [
        _selection(row[begin], row[end], row[label], f"{name}, line {line}")
        for line, row in enumerate(filled, 2)
        if any(row)
    ]


def _of_audacity(rows: Sequence[list[str]], name: str) -> list[Selection]:
    """A line that begins with a backslash has the frequencies of the label above it."""
    found = []
    for line, row in enumerate(rows, 1):
        if not row or row[0].startswith("\\"):
            continue
        if len(row) < 3:
            raise InvalidParameter(f"{name}, line {line}: no start, end and label: {row}")
        found.append(_selection(row[0], row[1], row[2], f"{name}, line {line}"))
    return found


def _selection(start: str, end: str, label: str, place: str) -> Selection:
    try:
        start_s, end_s = (float(text.replace(",", ".")) for text in (start, end))
    except ValueError:
        raise InvalidParameter(f"{place}: {start!r} to {end!r} are no seconds") from None
    if not 0 <= start_s < end_s < float("inf"):
        raise InvalidParameter(f"{place}: from {start_s:g} s to {end_s:g} s is no part of anything")
    if not label.strip():
        raise InvalidParameter(f"{place}: nothing is said of {start_s:g} s to {end_s:g} s")
    return Selection(start_s, end_s, label.strip())
