"""tables.py: events as other programs read them, and as they are read again here."""

import csv
import io
from pathlib import Path

import pyarrow.parquet
import pytest

from data.datasets.selection_tables import Selection, read_selections
from models.analysis.sound_events import Event
from models.analysis.tables import COLUMNS, TABLES

EVENTS = [Event("gun_shot", 1.0, 3.5, 0.98765432, 2.0), Event("dog", 2.0, 60.125, 0.7, 30.0)]


@pytest.mark.parametrize("name", ["raven", "audacity"])
def test_what_an_annotator_opens_is_read_again_here(tmp_path: Path, name: str) -> None:
    (tmp_path / "events.txt").write_bytes(TABLES[name][1](EVENTS, 16_000))
    said = [Selection(1.0, 3.5, "gun_shot"), Selection(2.0, 60.125, "dog")]
    assert read_selections(tmp_path / "events.txt") == said


def test_csv_and_parquet_have_the_same_columns() -> None:
    rows = list(csv.DictReader(io.StringIO(TABLES["csv"][1](EVENTS, 16_000).decode())))
    table = pyarrow.parquet.read_table(io.BytesIO(TABLES["parquet"][1](EVENTS, 16_000)))
    assert tuple(rows[0]) == tuple(table.column_names) == COLUMNS
    assert float(rows[0]["confidence"]) == table["confidence"][0].as_py() == 0.987654


@pytest.mark.parametrize("name", TABLES)
def test_a_recording_without_events_is_a_table_too(name: str) -> None:
    assert isinstance(TABLES[name][1]([], 16_000), bytes)
