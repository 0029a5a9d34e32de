"""What to import: a folder of labelled clips, or a CSV or JSON list of them.

    clips/                    clips/manifest.csv          clips.json
      fluid/leak1.wav           path,label,group,split      [{"path": "a.wav", "label": "fluid"},
      normal/fan.flac           a.wav,fluid,pump 7,train     {"path": "b.wav", "label": "normal"}]

`path` is relative to the list's own folder. `group` (a recording, a machine, a speaker, a
patient: what must stay on one side of a split) and `split` (train, validation or test) may be
left out; other columns are not looked at. In folders, a folder below the label's is a group:
`fluid/pump 7/leak1.wav`.

Of photographs a list has `mask`, a picture in the same folder or below it. The mask says what the
label is, where there is none; a list may do without the column `label`. As in data sets, a
photograph with neither then shows nothing of what is sought.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from data.errors import InvalidParameter

ListedSplit = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Listed:
    """One clip as its list names it; `name` is its path there. The label is empty where a list
    leaves it to the mask."""

    path: Path
    name: str
    label: str
    group: str | None
    split: ListedSplit | None
    mask: Path | None = None


def read_listing(path: Path, group_column: str = "group") -> list[Listed]:
    """In the order of the list, or of the file names; raises InvalidParameter."""
    if path.is_dir():
        lists = [path / name for name in ("manifest.csv", "manifest.json")]
        found = next((file for file in lists if file.is_file()), None)
        listed = read_listing(found, group_column) if found else labelled_folders(path)
    elif path.is_file() and path.suffix.lower() in READERS:
        rows = READERS[path.suffix.lower()](path)
        listed = [_listed(row, path, place, group_column) for place, row in rows]
    elif path.exists():
        raise InvalidParameter(f"{path.name} is neither a folder nor a .csv or .json list")
    else:
        raise InvalidParameter(f"there is no folder or list {str(path)!r}")
    if not listed:
        raise InvalidParameter(f"{path.name} lists no clips")
    _must_keep_groups_whole(listed)
    return listed


def labelled_folders(path: Path) -> list[Listed]:
    """Raises InvalidParameter where no folder holds a file. Hidden ones are nobody's."""
    listed = [
        Listed(file, str(file.relative_to(path)), folder.name, _group(file, folder), None)
        for folder in sorted(path.iterdir())
        if folder.is_dir() and not folder.name.startswith(".")
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not file.name.startswith(".")
    ]
    if not listed:
        raise InvalidParameter(
            f"{path.name} has no clips in folders named by label (clips/fluid/leak1.wav), "
            "and no manifest.csv or manifest.json"
        )
    return listed


def _group(file: Path, label: Path) -> str | None:
    first, *rest = file.relative_to(label).parts
    return first if rest else None


def _csv(path: Path) -> Iterator[tuple[str, Mapping[str, object]]]:
    # Excel begins its CSV with a byte order mark.
    with path.open(newline="", encoding="utf-8-sig") as lines:
        table = csv.DictReader(lines)
        try:
            for row in table:
                yield f"line {table.line_num}", row
        except (csv.Error, UnicodeDecodeError) as error:
            raise InvalidParameter(f"{path.name} is not a CSV file in UTF-8: {error}") from error


def _json(path: Path) -> Iterator[tuple[str, Mapping[str, object]]]:
    try:
        rows = json.loads(path.read_bytes())
    except ValueError as error:
        raise InvalidParameter(f"{path.name} is not valid JSON: {error}") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InvalidParameter(
            f'{path.name} must be a list of objects: [{{"path": "a.wav", "label": "fluid"}}]'
        )
    return ((f"item {place}", row) for place, row in enumerate(rows, 1))


READERS = {".csv": _csv, ".json": _json}


def _listed(row: Mapping[str, object], file: Path, place: str, group_column: str) -> Listed:
    where = f"{file.name}, {place}"
    wanted = ["path"] + ["label"] * ("mask" not in row) + [group_column] * (group_column != "group")
    if absent := [name for name in wanted if name not in row]:
        seen = ", ".join(str(name) for name in row if name) or "nothing"
        raise InvalidParameter(f"{where}: there is no column {', '.join(absent)}; it has {seen}")
    names = ("path", "label", "mask", group_column, "split")
    values = {name: str(row.get(name) or "").strip() for name in names}
    needed = ["path"] + ["label"] * ("label" in row and not values["mask"])
    if empty := [name for name in needed if not values[name]]:
        raise InvalidParameter(f"{where}: nothing in {', '.join(empty)}")
    path = values["path"]
    split = next((known for known in get_args(ListedSplit) if known == values["split"]), None)
    if values["split"] and split is None:
        raise InvalidParameter(
            f"{where}: split is {values['split']!r}, expected {', '.join(get_args(ListedSplit))}"
        )
    mask = _mask(values["mask"], file.parent, where) if values["mask"] else None
    group = values[group_column] or None
    return Listed(file.parent / path, path, values["label"], group, split, mask)


def _mask(name: str, folder: Path, where: str) -> Path:
    if not (folder / name).resolve().is_relative_to(folder.resolve()):
        raise InvalidParameter(f"{where}: mask {name!r} leads out of the list's folder")
    return folder / name


def _must_keep_groups_whole(listed: list[Listed]) -> None:
    learnt = {row.group for row in listed if row.group and row.split == "train"}
    held = {row.group for row in listed if row.group and row.split == "validation"}
    if both := learnt & held:
        raise InvalidParameter(
            f"group {min(both)!r} is in both train and validation; all of it belongs in one"
        )
