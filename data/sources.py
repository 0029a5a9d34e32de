"""Dataset layouts: a folder of clips -> examples.

A layout is one function in the table at the bottom; a data set in a layout of the table needs no
code at all. Data sets are never part of this repository: `TELLTALE_DATASETS` names the folder
that holds them, else `datasets/` here or `shared/datasets/` beside the repository is looked at.
"""

import csv
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from data.domain import Domain
from data.errors import InvalidParameter, UnknownName

Split = Literal["train", "test"]

REPOSITORY = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Example:
    """One labelled clip. `group` is what must never be on both sides of a split (a recording,
    a speaker, a patient); `source` says finer than the label where it comes from."""

    path: Path
    label: str
    group: str
    split: Split
    source: str


def dataset_root(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The folder that holds the data sets, or None: serving and teaching do without one."""
    if named := environment.get("TELLTALE_DATASETS"):
        return Path(named)
    for folder in (REPOSITORY / "datasets", REPOSITORY.parent / "shared" / "datasets"):
        if folder.is_dir():
            return folder
    return None


def examples(domain: Domain, root: Path) -> list[Example]:
    """All examples of a domain's data set, in the order of its list, fit to train on."""
    found = LAYOUTS[domain.source.layout](root / domain.source.dataset, domain)
    _must_be_trainable(found, domain)
    return found


def _must_be_trainable(found: list[Example], domain: Domain) -> None:
    sides = {side: [row for row in found if row.split == side] for side in get_args(Split)}
    for side, rows in sides.items():
        if not rows:
            raise InvalidParameter(f"the data set of {domain.name} has no clip of the {side} split")
    both = {row.group for row in sides["train"]} & {row.group for row in sides["test"]}
    if both:
        raise InvalidParameter(
            f"group {min(both)!r} of the data set of {domain.name} is in both train and test; "
            "the exam would ask about what was learnt"
        )
    if missing := set(domain.labels) - {row.label for row in sides["train"]}:
        raise InvalidParameter(
            f"the data set of {domain.name} has no training clip of {', '.join(sorted(missing))}"
        )


def _manifest(folder: Path, domain: Domain) -> list[Example]:
    """`manifest.csv` with the columns path, label, group, split (train or test) and source."""
    file = folder / "manifest.csv"
    if not file.is_file():
        raise InvalidParameter(
            f"the data set {domain.source.dataset!r} of {domain.name} was not found: expected "
            f"manifest.csv in a folder {folder.name!r} under TELLTALE_DATASETS"
        )
    # Excel begins its CSV with a byte order mark.
    with file.open(newline="", encoding="utf-8-sig") as lines:
        return [
            _row(row, folder, domain, line) for line, row in enumerate(csv.DictReader(lines), 2)
        ]


def _row(row: dict[str, str], folder: Path, domain: Domain, line: int) -> Example:
    missing = [name for name in ("path", "label", "group", "split") if not row.get(name)]
    if missing:
        raise InvalidParameter(f"manifest.csv, line {line}: nothing in {', '.join(missing)}")
    if row["split"] not in ("train", "test"):
        raise InvalidParameter(
            f"manifest.csv, line {line}: split is {row['split']!r}, expected train or test"
        )
    try:
        domain.label_index(row["label"])
    except UnknownName as error:
        raise InvalidParameter(f"manifest.csv, line {line}: {error}") from error
    if not (folder / row["path"]).is_file():
        raise InvalidParameter(f"manifest.csv, line {line}: there is no file {row['path']}")
    split: Split = "train" if row["split"] == "train" else "test"
    return Example(folder / row["path"], row["label"], row["group"], split, row.get("source") or "")


LAYOUTS: dict[str, Callable[[Path, Domain], list[Example]]] = {"manifest": _manifest}
