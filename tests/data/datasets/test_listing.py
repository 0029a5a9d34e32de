"""listing.py: what people hand over for import, and how mistakes in it are named."""

from pathlib import Path

import pytest

from data.datasets.listing import read_listing
from data.errors import InvalidParameter


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
        ("a.csv", "file,label\na.wav,x\n", "line 2: there is no column path; it has file, label"),
        ("a.csv", "path,label\n,x\n", "line 2: nothing in path"),
        ("a.csv", "path,label,split\na,x,val\n", "'val', expected train, validation, test"),
        ("a.csv", "path,label\n", "lists no clips"),
        (
            "a.csv",
            "path,label,group,split\na,x,g,train\nb,x,g,validation\n",
            "group 'g' is in both train and validation",
        ),
        ("a.json", '{"path": 1}', "must be a list of objects"),
        ("a.json", "[", "not valid JSON"),
        ("a.txt", "", "neither a folder nor a .csv or .json"),
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
