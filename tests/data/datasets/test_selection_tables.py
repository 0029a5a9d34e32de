"""selection_tables.py: what people marked in Raven or Audacity is read, or refused by its line."""

from pathlib import Path

import pytest

from data.datasets.selection_tables import Selection, read_selections
from data.errors import InvalidParameter

RAVEN = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)"
    "\tSpecies\n"
    "1\tWaveform 1\t1\t12.5\t14.0\t0\t8000\tbird\n"
    "1\tSpectrogram 1\t1\t12.5\t14.0\t0\t8000\tbird\n"
    "2\tSpectrogram 1\t1\t3.0\t4.25\t0\t8000\tdog\n"
)
AUDACITY = "12.500000\t14.000000\tbird\n\\\t200.0\t4000.0\n3,0\t4,25\tdog\n"
SAID = [Selection(3.0, 4.25, "dog"), Selection(12.5, 14.0, "bird")]


def read(folder: Path, text: str) -> list[Selection]:
    (folder / "night.txt").write_text(text, encoding="utf-8")
    return read_selections(folder / "night.txt")


@pytest.mark.parametrize("text", [RAVEN, AUDACITY, "\ufeff" + RAVEN.replace("\n", "\r\n")])
def test_each_part_is_read_once_in_order_of_time(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == SAID


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-16-le"])
def test_a_table_saved_on_windows_is_read(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "night.txt").write_text(RAVEN.replace("dog", "Käuzchen"), encoding=encoding)
    first, *_ = read_selections(tmp_path / "night.txt")
    assert first == Selection(3.0, 4.25, "Käuzchen")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no labels"),
        ("1.0\t2.0\tbird\n5.0\t5.0\tdog\n", "line 2: from 5 s to 5 s"),
        ("1.0\t2.0\t \n", "line 1: nothing is said"),
        ("a\tb\tc\n", "line 1: 'a' to 'b' are no seconds"),
        ("path,label\na.wav,bird\n", "line 1: no start, end and label"),
        (RAVEN.replace("Species", "Notes"), "one of label, annotation"),
        (
            RAVEN.replace("Species", "Species\tBegin File").replace("dog", "dog\tb.wav"),
            "several recordings",
        ),
    ],
)
def test_a_wrong_table_is_refused_by_its_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InvalidParameter, match=words):
        read(tmp_path, text)
