"""The one reader of labelled clips, for import and for training: a folder of them, or a list.

    clips/                    clips/manifest.csv          clips.jsonl
      fluid/leak1.wav           path,label,group,split      {"path": "a.wav", "label": "fluid"}
      normal/fan.flac           a.wav,fluid,pump 7,train    {"path": "b.wav", "label": "normal"}

`path`, or `file_name`, is relative to the list's own folder. `group` (a recording, a machine, a
speaker, a patient: what must stay on one side of a split) and `split` (train, validation or test)
may be left out; other columns are kept as they stand there. In folders, a folder below the label's
is a group, `fluid/pump 7/leak1.wav`, and those above may be splits, `train/fluid/leak1.wav`.

Of photographs a list has `mask`, a picture in the same folder or below it. The mask says what the
label is, where there is none; a list may do without the column `label`. As in data sets, a
photograph with neither then shows nothing of what is sought.
"""

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PureWindowsPath
from typing import Literal, get_args

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, field_validator

from data.datasets.tabular import FORMATS, Row, read_rows
from data.errors import InvalidParameter

ListedSplit = Literal["train", "validation", "test"]
SPLITS: dict[str, ListedSplit] = {name: name for name in get_args(ListedSplit)}
SPLITS["val"] = "validation"
LISTS = [f"{stem}{ending}" for stem in ("manifest", "metadata") for ending in FORMATS]
STRAYS = ("thumbs.db", "desktop.ini", ".ds_store")  # what file managers leave behind

log = logging.getLogger(__name__)


class ListRow(BaseModel):
    """A row as it stands in a list. What a list does not say is empty."""

    model_config = ConfigDict(frozen=True, coerce_numbers_to_str=True, str_strip_whitespace=True)

    path: str = Field(default="", validation_alias=AliasChoices("path", "file_name"))
    label: str = ""
    group: str = ""
    split: ListedSplit | None = None
    mask: str = ""

    @field_validator("split", mode="before")
    @classmethod
    def split_is_known(cls, value: object) -> ListedSplit | None:
        name = str(value).strip().lower()
        if name and name not in SPLITS:
            raise ValueError(f"expected {', '.join(get_args(ListedSplit))}")
        return SPLITS.get(name)


@dataclass(frozen=True)
class Listed:
    """One clip as its list names it; `name` is its path there and `place` where that stands. The
    label is empty where a list leaves it to the mask. `path` is as on disk, if it is there."""

    path: Path
    name: str
    label: str
    group: str | None
    split: ListedSplit | None
    mask: Path | None = None
    place: str = field(default="", compare=False)
    columns: Mapping[str, str] = field(default_factory=dict, compare=False)


def read_listing(path: Path, group_column: str = "group") -> list[Listed]:
    """In the order of the list, or of the file names; raises InvalidParameter."""
    if path.is_dir():
        found = list_in(path)
        return read_list(found, group_column) if found else labelled_folders(path)
    if path.is_file() and path.suffix.lower() in FORMATS:
        return read_list(path, group_column)
    if path.exists():
        raise InvalidParameter(f"{path.name} is no folder and no list: {', '.join(FORMATS)}")
    raise InvalidParameter(f"there is no folder or list {str(path)!r}")


def list_in(folder: Path) -> Path | None:
    return next((folder / name for name in LISTS if (folder / name).is_file()), None)


def read_list(file: Path, group_column: str = "group") -> list[Listed]:
    """Raises InvalidParameter, also where it lists no clips."""
    rows = read_rows(file)
    listed = [_listed(row, file.parent, place, group_column) for place, row in rows if _counts(row)]
    if len(listed) < len(rows):
        _say_passed_over(file, len(rows) - len(listed))
    if not listed:
        raise InvalidParameter(f"{file.name} lists no clips")
    _must_keep_groups_whole(listed)
    return listed


def labelled_folders(path: Path) -> list[Listed]:
    """Raises InvalidParameter where no folder holds a file. Hidden ones are nobody's."""
    listed = [
        Listed(file, readable(str(file.relative_to(path))), label, _group(file, folder), split)
        for folder, split in _label_folders(path)
        for label in [readable(folder.name)]
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not any(map(_is_hidden, file.relative_to(folder).parts))
    ]
    if not listed:
        raise InvalidParameter(
            f"{path.name} has no clips in folders named by label (clips/fluid/leak1.wav), "
            "and no manifest.csv, metadata.csv or the like in JSON"
        )
    _must_keep_groups_whole(listed)
    return listed


def readable(name: str) -> str:
    """A file's name as text: bytes of it that are not UTF-8 are taken for Windows-1252, as in
    lists. Python keeps such bytes as surrogates, which nothing can print or store."""

    def decoded(found: re.Match[str]) -> str:
        return os.fsencode(found[0]).decode("cp1252", "backslashreplace")

    return re.sub(r"[\udc80-\udcff]+", decoded, name)


def _label_folders(path: Path) -> list[tuple[Path, ListedSplit | None]]:
    tops = _folders(path)
    splits = [SPLITS.get(top.name.lower()) for top in tops]
    below = [_folders(top) for top in tops]
    if all(splits) and any(below):
        sides = zip(below, splits, strict=True)
        return [(folder, split) for folders, split in sides for folder in folders]
    return [(top, None) for top in tops]


def _folders(path: Path) -> list[Path]:
    return [file for file in sorted(path.iterdir()) if file.is_dir() and not _is_hidden(file.name)]


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or _is_stray(name)


def _is_stray(name: str) -> bool:
    return name.lower() in STRAYS or name.startswith("._")


def _group(file: Path, label: Path) -> str | None:
    first, *rest = file.relative_to(label).parts
    return readable(first) if rest else None


def _counts(row: Row) -> bool:
    name = str(row.get("path") or row.get("file_name") or "").strip()
    says = any(str(value).strip() for value in row.values() if value is not None)
    return says and not _is_stray(PureWindowsPath(name).name)


@cache  # a service reads the same list again and again
def _say_passed_over(file: Path, count: int) -> None:
    log.warning("%s: rows passed over, empty or of files like Thumbs.db: %d", file.name, count)


def _listed(row: Row, folder: Path, place: str, group_column: str) -> Listed:
    _must_have_columns(row, place, group_column)
    given = {name: value for name, value in row.items() if value is not None}
    told = _validated(given | {"group": given.get(group_column, "")}, place)
    labelled = told.label or told.mask or "label" not in row
    if empty := ["path"] * (not told.path) + ["label"] * (not labelled):
        raise InvalidParameter(f"{place}: nothing in {', '.join(empty)}")
    mask = _located(folder, told.mask) if told.mask else None
    if mask and not mask.resolve().is_relative_to(folder.resolve()):
        raise InvalidParameter(f"{place}: mask {told.mask!r} leads out of the list's folder")
    path, group = _located(folder, told.path), told.group or None
    columns = {name: str(value) for name, value in given.items()}
    return Listed(path, told.path, told.label, group, told.split, mask, place, columns)


def _must_have_columns(row: Row, place: str, group_column: str) -> None:
    wanted = ["path"] * ("file_name" not in row) + ["label"] * ("mask" not in row)
    wanted += [group_column] * (group_column != "group")
    if absent := [name for name in wanted if name not in row]:
        seen = ", ".join(str(name) for name in row if name) or "nothing"
        raise InvalidParameter(f"{place}: there is no column {', '.join(absent)}; it has {seen}")


def _validated(row: Row, place: str) -> ListRow:
    try:
        return ListRow.model_validate(row)
    except ValidationError as error:
        mistake = error.errors()[0]
        column, right = mistake["loc"][0], mistake["msg"].removeprefix("Value error, ")
        raise InvalidParameter(f"{place}: {column} is {mistake['input']!r}, {right}") from error


def _located(folder: Path, name: str) -> Path:
    """As it is on disk: lists made on Windows have backslashes, another case of the ending, and
    names in Windows-1252, which archives carry over as they are."""
    slashed = name.replace("\\", "/")
    stem, ending = os.path.splitext(slashed)
    raw = os.fsdecode(slashed.encode("cp1252", "replace"))
    tried = (name, slashed, stem + ending.lower(), stem + ending.upper(), raw)
    return folder / next((name for name in tried if os.path.isfile(folder / name)), slashed)


def _must_keep_groups_whole(listed: list[Listed]) -> None:
    learnt = {row.group for row in listed if row.group and row.split == "train"}
    held = {row.group for row in listed if row.group and row.split == "validation"}
    if both := learnt & held:
        raise InvalidParameter(
            f"group {min(both)!r} is in both train and validation; all of it belongs in one"
        )
