"""listing.py: what people hand over for import, and how mistakes in it are named."""

import json
import os
from pathlib import Path

import pytest

from data.datasets.listing import read_listing
from data.errors import InvalidParameter
from support.inputs.listed_clips import READERS, Read, clips


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_folders_are_labels_and_hidden_files_are_nobodys(tmp_path: Path) -> None:
    for name in ("fluid/leak.wav", "fluid/deep/drip.wav", "normal/fan.wav"):
        written(tmp_path, name, "")
    for name in ("fluid/.DS_Store", ".git/x.wav", "README.md"):
        written(tmp_path, name, "")
    listed = read_listing(tmp_path)
    assert [(row.name, row.label) for row in listed] == [
        ("fluid/deep/drip.wav", "fluid"),
        ("fluid/leak.wav", "fluid"),
        ("normal/fan.wav", "normal"),
    ]


def test_a_folder_below_the_label_is_a_group(tmp_path: Path) -> None:
    for name in ("fluid/pump 7/new/leak.wav", "fluid/drip.wav"):
        written(tmp_path, name, "")
    assert {row.name: row.group for row in read_listing(tmp_path)} == {
        "fluid/pump 7/new/leak.wav": "pump 7",
        "fluid/drip.wav": None,
    }


def test_a_csv_and_a_json_list_say_the_same(tmp_path: Path) -> None:
    written(
        tmp_path, "manifest.csv", "\ufeffpath,label,group,split\na.wav,fluid,p1,train\nb.wav,x,,\n"
    )
    text = (
        '[{"path": "a.wav", "label": "fluid", "group": "p1", "split": "train"},'
        ' {"path": "b.wav", "label": "x"}]'
    )
    by_json = read_listing(written(tmp_path, "other.json", text))
    assert read_listing(tmp_path) == by_json
    assert [(row.group, row.split) for row in by_json] == [("p1", "train"), (None, None)]
    assert by_json[0].path == tmp_path / "a.wav"


def test_another_column_may_name_the_groups(tmp_path: Path) -> None:
    file = written(tmp_path, "a.csv", "path,label,group,speaker\na.wav,one,a,ann\n")
    assert read_listing(file, "speaker")[0].group == "ann"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "path,label\n,x\n", "line 2: nothing in path"),
        ("a.json", '{"path": 1}', "must be a list of objects"),
        ("a.json", "[", "not valid JSON"),
        ("a.txt", "", "a.txt is no folder and no list: .csv, .tsv, .json, .jsonl"),
    ],
)
def test_a_mistake_is_named_with_its_place(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    with pytest.raises(InvalidParameter, match=words):
        read_listing(written(tmp_path, name, text))


def test_nothing_to_import_is_said_in_words(tmp_path: Path) -> None:
    written(tmp_path, "a.wav", "")
    with pytest.raises(InvalidParameter, match="no clips in folders named by label"):
        read_listing(tmp_path)
    with pytest.raises(InvalidParameter, match="there is no folder or list"):
        read_listing(tmp_path / "gone")


@pytest.mark.parametrize("read", READERS)
def test_files_are_found_as_windows_writes_their_names(tmp_path: Path, read: Read) -> None:
    folder = clips(tmp_path, "new/a.WAV", "new/b.wav", "c.wav", os.fsdecode(b"h\xfclle.wav"))
    rows = (r"new\a.wav,fluid", r".\new\b.WAV,normal", "c.wav,fluid", "hülle.wav,normal")
    (folder / "manifest.csv").write_text("\n".join(("path,label", *rows)), encoding="cp1252")
    found = {name: label for name, (label, _) in read(folder).items()}
    assert found == {
        "new/a.WAV": "fluid",
        "new/b.wav": "normal",
        "c.wav": "fluid",
        os.fsdecode(b"h\xfclle.wav"): "normal",
    }


@pytest.mark.parametrize("read", READERS)
def test_a_label_may_be_a_whole_number(tmp_path: Path, read: Read) -> None:
    folder = clips(tmp_path, *(f"{number}.wav" for number in range(4)))
    rows = [{"path": f"{number}.wav", "label": number % 2} for number in range(4)]
    (folder / "manifest.json").write_text(json.dumps(rows))
    assert [label for label, _ in read(folder).values()] == ["0", "1", "0", "1"]


@pytest.mark.parametrize("read", READERS)
def test_rows_that_list_nothing_are_passed_over_and_counted(
    tmp_path: Path, read: Read, caplog: pytest.LogCaptureFixture
) -> None:
    folder = clips(tmp_path, "a.wav", "b.wav", "c.wav", "Thumbs.db", "._a.wav")
    rows = ("a.wav,fluid", "b.wav,normal", ",", "", " , ", "c.wav,fluid", "Thumbs.db,", "._a.wav,x")
    (folder / "manifest.csv").write_text("\n".join(("path,label", *rows)))
    assert set(read(folder)) == {"a.wav", "b.wav", "c.wav"}
    assert caplog.messages == [
        "manifest.csv: rows passed over, empty or of files like Thumbs.db: 5"
    ]


@pytest.mark.parametrize("read", READERS)
def test_what_file_managers_leave_in_folders_is_passed_over(tmp_path: Path, read: Read) -> None:
    names = {f"{label}/{take}.wav" for label in ("fluid", "normal") for take in range(2)}
    strays = ("fluid/Thumbs.db", "normal/desktop.ini", "normal/._1.wav", ".cache/fluid/x.wav")
    assert set(read(clips(tmp_path, *names, *strays, "fluid/.git/x.wav"))) == names


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("held", ["val", "validation"])
def test_folders_above_the_labels_are_splits(tmp_path: Path, held: str, read: Read) -> None:
    splits = ("train", held, "Test")
    names = {f"{split}/{label}/1.wav" for split in splits for label in ("fluid", "normal")}
    folder = clips(tmp_path, *names, "train/normal/fan 2/1.wav", "test/.DS_Store")
    found = read(folder)
    assert set(found) == {*names, "train/normal/fan 2/1.wav"}
    assert {label for label, _ in found.values()} == {"fluid", "normal"}
    assert found["train/normal/fan 2/1.wav"] == ("normal", "fan 2")
    sides = {row.name: row.split for row in read_listing(folder)}
    assert (sides["train/fluid/1.wav"], sides[f"{held}/fluid/1.wav"]) == ("train", "validation")
    assert sides["Test/fluid/1.wav"] == "test"


@pytest.mark.parametrize("read", READERS)
def test_names_that_are_not_utf_8_are_read_as_text(tmp_path: Path, read: Read) -> None:
    group = os.fsdecode(b"L\xfcfter")
    found = read(
        clips(tmp_path, f"fluid/{group}/1.wav", "fluid/2.wav", "normal/3.wav", "normal/4.wav")
    )
    assert found[f"fluid/{group}/1.wav"] == ("fluid", "Lüfter")
    assert [row.name for row in read_listing(tmp_path / "clips")][1] == "fluid/Lüfter/1.wav"


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path;label;split\na.wav;x;dev\n", "line 2: split is 'dev', expected train, validation"),
        ("file,label\na.wav,x\n", "line 2: there is no column path; it has file, label"),
        ("path,label\n\na.wav,\n", "manifest.csv, line 3: nothing in label"),
        ("path,label\n,\n", "manifest.csv lists no clips"),
        (
            "path,label,group,split\na.wav,x,g,train\na.wav,x,g,val\n",
            "group 'g' is in both train and validation",
        ),
    ],
)
def test_import_and_training_name_the_same_mistakes(
    tmp_path: Path, text: str, words: str, read: Read
) -> None:
    folder = clips(tmp_path, "a.wav")
    (folder / "manifest.csv").write_text(text)
    with pytest.raises(InvalidParameter, match=words):
        read(folder)


@pytest.mark.parametrize("value", ["true", "[1]", '"\\ud800"'])
def test_what_is_no_label_is_refused_with_its_place(tmp_path: Path, value: str) -> None:
    file = written(tmp_path, "a.json", f'[{{"path": "a.wav", "label": {value}}}]')
    with pytest.raises(InvalidParameter, match="a.json, item 1: label is .*, Input should be"):
        read_listing(file)
