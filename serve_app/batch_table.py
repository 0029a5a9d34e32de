"""Answers about many clips as CSV: of the route, and of the page for what it was answered."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

ANSWERED = ("label", "confidence", "unknown", "asserted")
FIELDS = ("file", *ANSWERED, "version", "error", "warnings", "request_id")


def _as_text(name: str) -> str:
    """A name such as =cmd() would be run by the spreadsheet that opens the table; it does not
    mind blanks before it, nor that the sign is a wide one."""
    runs = name.lstrip().startswith(tuple("=+-@＝＋－＠")) or name.startswith(("\t", "\r", "\n"))
    return f"'{name}" if runs else name


def as_csv(results: Sequence[Mapping[str, Any]]) -> str:
    """Of rows as the answer's JSON has them; behind them the probability of each label."""
    labels = sorted({label for row in results for label in row.get("probabilities", ())})
    out = io.StringIO()
    rows = csv.DictWriter(out, [*FIELDS, *map(_column, labels)], restval="")
    rows.writeheader()
    rows.writerows(map(_row, results))
    return out.getvalue()


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    file = {"file": _as_text(row["file"] or "")}
    if "error" in row:
        error = row["error"]
        return {**file, "error": error["detail"], "request_id": error["request_id"]}
    return {
        **file,
        **{name: row[name] for name in ANSWERED},
        "version": row["model"]["version"],
        "warnings": "; ".join(row["clip"].get("warnings", ())),
        "request_id": row["request_id"],
        **{_column(label): share for label, share in row["probabilities"].items()},
    }


def _column(label: str) -> str:
    return f"probability {label}"
