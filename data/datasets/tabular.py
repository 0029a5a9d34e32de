"""A table of clips as people save it -> its rows, each with its place.

Excel and its like save CSV with another delimiter and encoding in each country: the delimiter is
what stands most often in the first line, since `csv.Sniffer` also guesses from names of files, and
what is neither UTF-8 nor UTF-16 is taken for Windows-1252.
"""

import codecs
import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from data.errors import InvalidParameter

DELIMITERS = ",;\t"

Row = dict[str, object]
Rows = Iterator[tuple[str, Row]]


def read_rows(file: Path) -> list[tuple[str, Row]]:
    """Every row by its columns, empty ones too, and where it stands ("manifest.csv, line 2");
    raises InvalidParameter."""
    try:
        text = text_of(file.read_bytes(), file.name)
    except OSError as error:
        raise InvalidParameter(f"{file.name} cannot be read: {error.strerror}") from error
    return list(FORMATS[file.suffix.lower()](text, file.name))


def text_of(raw: bytes, name: str) -> str:
    """Raises InvalidParameter for what is no text."""
    # Tables begin with an ASCII sign, which has a zero in UTF-16 where there is no mark.
    is_wide = raw[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) or b"\0" in raw[:2]
    for encoding in ["utf-16"] if is_wide else ["utf-8-sig", "cp1252"]:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError as error:
            line, byte = raw.count(b"\n", 0, error.start) + 1, raw[error.start]
            continue
        if "\0" in text or r"\u0000" in text:
            raise InvalidParameter(f"{name} is not text; save it as CSV in UTF-8")
        return text
    raise InvalidParameter(
        f"{name}, line {line}: byte 0x{byte:02x} is neither UTF-8, UTF-16 nor Windows-1252; "
        "save it as UTF-8"
    )


def _delimited(text: str, name: str) -> Rows:
    first = next(iter(text.lstrip().splitlines()), "")
    delimiter = max(DELIMITERS, key=first.count)
    lines = io.StringIO(text, newline="")
    table = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        columns = [cell.strip() for cell in next(filter(any, table), [])]
        for cells in table:
            row = dict.fromkeys(columns, "") | dict(zip(columns, cells, strict=False))
            yield f"{name}, line {table.line_num}", {**row}
    except csv.Error as error:
        right = 'a quote within quotes is doubled: "5"" pipe"'
        raise InvalidParameter(f"{name}, line {table.line_num}: {error}; {right}") from error


def _json(text: str, name: str) -> Rows:
    rows = _parsed(text, name)
    if not isinstance(rows, list):
        raise InvalidParameter(
            f'{name} must be a list of objects: [{{"path": "a.wav", "label": "fluid"}}]'
        )
    return (_object(row, f"{name}, item {number}") for number, row in enumerate(rows, 1))


def _json_lines(text: str, name: str) -> Rows:
    for number, line in enumerate(text.split("\n"), 1):
        place = f"{name}, line {number}"
        yield _object(_parsed(line, place) if line.strip() else {}, place)


def _parsed(text: str, where: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidParameter(f"{where} is not valid JSON: {error}") from error


def _object(row: object, place: str) -> tuple[str, Row]:
    if not isinstance(row, dict):
        raise InvalidParameter(f'{place} must be an object: {{"path": "a.wav", "label": "fluid"}}')
    return place, row


FORMATS: dict[str, Callable[[str, str], Rows]] = {
    ".csv": _delimited,
    ".tsv": _delimited,
    ".json": _json,
    ".jsonl": _json_lines,
}
