"""Events as tables that other programs read: CSV, Raven's selections, Audacity's labels, Parquet.

Raven's and Audacity's are read again by `data/datasets/selection_tables.py`: events that people
have put right there are imported as clips.
"""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields

from data.datasets.selection_tables import BEGIN, END
from models.analysis.sound_events import Event

Table = Callable[[Sequence[Event], float], bytes]  # the recording's rate in Hz

COLUMNS = tuple(field.name for field in fields(Event))
RAVEN = ("Selection", "View", "Channel", BEGIN, END, "Low Freq (Hz)", "High Freq (Hz)")


def row(event: Event) -> dict[str, str | float]:
    """By column; times to a millisecond."""
    return {
        name: value if isinstance(value, str) else round(value, 3 if name.endswith("_s") else 6)
        for name, value in asdict(event).items()
    }


def as_csv(events: Sequence[Event], rate_hz: float) -> bytes:
    return _written([COLUMNS, *(row(event).values() for event in events)], ",")


def as_raven(events: Sequence[Event], rate_hz: float) -> bytes:
    rows = [
        (
            number,
            "Spectrogram 1",
            1,
            f"{event.start_s:.3f}",
            f"{event.end_s:.3f}",
            0,
            rate_hz / 2,
            event.label,
            f"{event.confidence:.4f}",
        )
        for number, event in enumerate(events, 1)
    ]
    return _written([(*RAVEN, "Label", "Confidence"), *rows], "\t")


def as_audacity(events: Sequence[Event], rate_hz: float) -> bytes:
    rows = [(f"{event.start_s:.6f}", f"{event.end_s:.6f}", event.label) for event in events]
    return _written(rows, "\t")


def as_parquet(events: Sequence[Event], rate_hz: float) -> bytes:
    import pyarrow  # 40 MB, for the few who ask for it
    import pyarrow.parquet

    types = {name: pyarrow.string() if name == "label" else pyarrow.float64() for name in COLUMNS}
    table = pyarrow.Table.from_pylist(
        [row(event) for event in events], schema=pyarrow.schema(list(types.items()))
    )
    out = io.BytesIO()
    pyarrow.parquet.write_table(table, out)
    return out.getvalue()


# By the name in ?format=: the media type, and how it is made.
TABLES: dict[str, tuple[str, Table]] = {
    "csv": ("text/csv", as_csv),
    "raven": ("text/tab-separated-values", as_raven),
    "audacity": ("text/plain", as_audacity),
    "parquet": ("application/vnd.apache.parquet", as_parquet),
}


def _written(rows: Sequence[object], delimiter: str) -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(rows)  # type: ignore[arg-type]
    return out.getvalue().encode()
