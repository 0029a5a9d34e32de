"""Dataset layouts: a folder of clips -> examples.

A layout is one function in the table at the bottom; a data set in a layout of the table needs no
code at all. Data sets are never part of this repository: `TELLTALE_DATASETS` names the folder
that holds them, else `datasets/` is looked at, here or, outside a checkout, in the user's data
folder; `shared/datasets/` beside a checkout too.
"""

import csv
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from data.datasets.listing import labelled_folders
from data.datasets.split import validation_mask
from data.domains.domain import Domain
from data.errors import InvalidParameter, UnknownName
from data.installed import CHECKOUT, own_folder

Split = Literal["train", "test"]

EXAM_SHARE = 0.2  # of the clips of each label, where nobody says which ones are tested
EXAM_SEED = 0  # fixed: another exam would be another figure for the same model


@dataclass(frozen=True)
class Example:
    """One labelled clip. `group` is what must never be on both sides of a split (a recording,
    a speaker, a patient); `source` says finer than the label where it comes from. Where a
    photograph has a mask, it shows both labels: `label` is then the one that is sought. `columns`
    are those of the list as they stand there, a speaker or a fold among them."""

    path: Path
    label: str
    group: str
    split: Split
    source: str
    mask: Path | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


def dataset_root(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The folder that holds the data sets, or None: serving and teaching do without one."""
    if named := environment.get("TELLTALE_DATASETS"):
        return Path(named)
    beside = [CHECKOUT.parent / "shared" / "datasets"] if CHECKOUT else []
    return next((folder for folder in (own_folder("datasets"), *beside) if folder.is_dir()), None)


def examples(domain: Domain, root: Path) -> list[Example]:
    """All examples of a domain's data set, in the order of its list, fit to train on."""
    found = listed(domain, root)
    _must_be_trainable(found, domain)
    return found


def is_trainable(domain: Domain, root: Path | None) -> bool:
    """Whether the domain's data set is on this machine, and fit to train on."""
    try:
        return root is not None and bool(examples(domain, root))
    except InvalidParameter:
        return False


def listed(domain: Domain, root: Path) -> list[Example]:
    """The same, whatever its own split is: for those who make another."""
    return LAYOUTS[domain.source.layout](root / domain.source.dataset, domain)


def thing(source: str, label: str) -> str:
    """What is heard, finer than the label where `source` says so: "UrbanSound8K:car_horn:fold1" is
    a car horn, though its label is vehicle. Which fold it came from is not heard."""
    _, *finer = source.split(":")
    return finer[0] if finer else label


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
    masked = any(row.mask for row in sides["train"])
    shown = domain.labels if masked else {row.label for row in sides["train"]}
    if missing := set(domain.labels) - set(shown):
        raise InvalidParameter(
            f"the data set of {domain.name} has no training clip of {', '.join(sorted(missing))}"
        )


def _manifest(folder: Path, domain: Domain) -> list[Example]:
    """`manifest.csv` with the columns path, label, group, split (train or test) and source."""
    return [_example(row, folder, domain, line) for line, row in _lines(folder, domain)]


def _masks(folder: Path, domain: Domain) -> list[Example]:
    """`manifest.csv` with the column mask in place of label: a picture of the same size, light
    where the second label is; nothing stands there for a photograph without any of it."""
    ground, sought = domain.labels
    found = []
    for line, row in _lines(folder, domain):
        mask = row.get("mask")
        row["label"] = sought if mask else ground
        example = _example(row, folder, domain, line)
        found.append(replace(example, mask=_file(mask, folder, line) if mask else None))
    return found


def _folders(folder: Path, domain: Domain) -> list[Example]:
    """A folder a label, and no list: `fluid/leak1.wav`. Clips in a folder below it, which names
    their recording, machine or speaker, are one group, under every label. The test side is
    chosen by a hash of the group."""
    if not folder.is_dir():
        raise InvalidParameter(
            f"the data set of {domain.name} was not found: expected a folder {folder.name!r} under "
            f"TELLTALE_DATASETS, and in it one for each label: {', '.join(domain.labels)}"
        )
    listed = labelled_folders(folder)
    if strange := {row.label for row in listed} - set(domain.labels):
        raise InvalidParameter(
            f"the folder {min(strange)!r} in {folder.name} is no label of {domain.name}; "
            f"its labels are {', '.join(domain.labels)}"
        )
    groups = [row.group or str(Path(row.name).with_suffix("")) for row in listed]
    labels = [row.label for row in listed]
    tested = validation_mask(labels, groups, EXAM_SHARE, EXAM_SEED)
    return [
        Example(row.path, row.label, group, "test" if is_tested else "train", "")
        for row, group, is_tested in zip(listed, groups, tested, strict=True)
    ]


def _lines(folder: Path, domain: Domain) -> list[tuple[int, dict[str, str]]]:
    file = folder / "manifest.csv"
    if not file.is_file():
        raise InvalidParameter(
            f"the data set {domain.source.dataset!r} of {domain.name} was not found: expected "
            f"manifest.csv in a folder {folder.name!r} under TELLTALE_DATASETS"
        )
    # Excel begins its CSV with a byte order mark.
    with file.open(newline="", encoding="utf-8-sig") as lines:
        return list(enumerate(csv.DictReader(lines), 2))


def _example(row: dict[str, str], folder: Path, domain: Domain, line: int) -> Example:
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
    split: Split = "train" if row["split"] == "train" else "test"
    path = _file(row["path"], folder, line)
    source = row.get("source") or ""
    return Example(path, row["label"], row["group"], split, source, columns=row)


def _file(name: str, folder: Path, line: int) -> Path:
    if not (folder / name).is_file():
        raise InvalidParameter(f"manifest.csv, line {line}: there is no file {name}")
    return folder / name


LAYOUTS: dict[str, Callable[[Path, Domain], list[Example]]] = {
    "manifest": _manifest,
    "folders": _folders,
    "masks": _masks,
}
