"""Answers about many clips as CSV: of the route, and of the page for what it was answered."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

ANSWERED = ("label", "confidence", "unknown", "asserted")


def _as_text(name: str) -> str:
    """A name such as =cmd() would be run by the spreadsheet that opens the table; it does not
    mind blanks before it, nor that the sign is a wide one."""
    runs = name.lstrip().startswith(tuple("=+-@＝＋－＠")) or name.startswith(("\t", "\r", "\n"))
    return f"'{name}" if runs else name


def as_csv(results: Sequence[Mapping[str, Any]]) -> str:
    """Of rows as the answer's JSON has them."""
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["file", *ANSWERED, "version", "error", "warnings", "request_id"])
    for row in results:
        name = _as_text(row["file"] or "")
        if "error" in row:
            error = row["error"]
            rows.writerow(
                [name, *[""] * len(ANSWERED), "", error["detail"], "", error["request_id"]]
            )
        else:
            said, warnings = [row[key] for key in ANSWERED], row["clip"].get("warnings", ())
            rows.writerow(
                [name, *said, row["model"]["version"], "", "; ".join(warnings), row["request_id"]]
            )
    return out.getvalue()
