"""Dataset layouts: a folder of clips -> examples.

A layout is one function in the table at the bottom, over the one reader of clips (`listing.py`); a
data set in a layout of the table needs no code at all. Data sets are never part of this repository:
`TELLTALE_DATASETS` names the folder that holds them, else `datasets/` is looked at, in the checkout
or, outside of one, in the user's data folder.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from data.database.schema import HeldFor
from data.datasets.listing import Listed, labelled_folders, list_in, read_list
from data.datasets.split import validation_mask
from data.domains.domain import Domain
from data.errors import InvalidParameter, UnknownName
from data.install_paths import own_folder

Split = Literal["train", "test"]

EXAM_SHARE = 0.2  # of the clips of each label, where nobody says which ones are tested
EXAM_SEED = 0  # fixed: another exam would be another figure for the same model


@dataclass(frozen=True)
class Example:
    """One labelled clip. `group` is what must never be on both sides of a split (a recording,
    a speaker, a patient); `source` says finer than the label where it comes from. Where a
    photograph has a mask, it shows both labels: `label` is then the one that is sought. `held` is
    the side of the training that a list with a validation split names. `columns` are those of the
    list as they stand there, a speaker or a fold among them."""

    path: Path
    label: str
    group: str
    split: Split
    source: str
    mask: Path | None = None
    held: HeldFor | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


def dataset_root(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The folder that holds the data sets, or None: serving and teaching do without one."""
    if named := environment.get("TELLTALE_DATASETS"):
        return Path(named)
    found = own_folder("datasets")
    return found if found.is_dir() else None


def examples(domain: Domain, root: Path) -> list[Example]:
    """All examples of a domain's data set, in the order of its list, fit to train on."""
    found = listed(domain, root)
    must_be_trainable(found, domain)
    return found


def is_trainable(domain: Domain, root: Path | None) -> bool:
    """Whether the domain's data set is on this machine, and fit to train on."""
    try:
        return root is not None and bool(examples(domain, root))
    except InvalidParameter:
        return False


def listed(domain: Domain, root: Path) -> list[Example]:
    """The same, whatever its own split is: for those who make another, or only look."""
    rows = LAYOUTS[domain.source.layout](root / domain.source.dataset, domain)
    out = {row.path for row in domain.source.left_out}
    return _examples([row for row in rows if row.name not in out])


def fine_label(source: str, label: str) -> str:
    """The class in the clip's own data set where `source` names one: of
    "UrbanSound8K:car_horn:fold1" it is car_horn, though the label is vehicle."""
    _, *finer = source.split(":")
    return finer[0] if finer else label


def must_be_trainable(found: Sequence[Example], domain: Domain) -> None:
    """Raises InvalidParameter."""
    sides = {side: [row for row in found if row.split == side] for side in get_args(Split)}
    for side, rows in sides.items():
        if not rows:
            raise InvalidParameter(
                f"the data set of {domain.name} has no clip of the {side} split; without a column "
                "split, which clips are tested is chosen"
            )
    both = {row.group for row in sides["train"]} & {row.group for row in sides["test"]}
    if both:
        raise InvalidParameter(
            f"group {min(both)!r} of the data set of {domain.name} is in both train and test; "
            "the exam would ask about what was learnt"
        )
    masked = any(row.mask for row in sides["train"])
    learnt = {row.label for row in sides["train"] if row.held != "validation"}
    shown = domain.labels if masked else learnt
    if missing := set(domain.labels) - set(shown):
        raise InvalidParameter(
            f"the data set of {domain.name} has no training clip of {', '.join(sorted(missing))}"
        )


def _examples(rows: Sequence[Listed]) -> list[Example]:
    """What has no group is one by itself."""
    groups = [row.group or str(Path(row.name).with_suffix("")) for row in rows]
    validates = any(row.split == "validation" for row in rows)
    return [
        Example(
            path=row.path,
            label=row.label,
            group=group,
            split="test" if is_tested else "train",
            source=row.columns.get("source", ""),
            mask=row.mask,
            held=row.split if validates and row.split != "test" else None,
            columns=row.columns,
        )
        for row, group, is_tested in zip(rows, groups, _tested(rows, groups), strict=True)
    ]


def _tested(rows: Sequence[Listed], groups: Sequence[str]) -> list[bool]:
    """Where nothing is said to be tested, a hash of the group chooses among those of which nothing
    is said."""
    said = {group: False for row, group in zip(rows, groups, strict=True) if row.split}
    if any(row.split == "test" for row in rows) or said.keys() >= set(groups):
        return [row.split == "test" for row in rows]
    labels = [row.label for row in rows]
    chosen = validation_mask(labels, groups, EXAM_SHARE, EXAM_SEED, said)
    return [bool(is_chosen) for is_chosen in chosen]


def _manifest(folder: Path, domain: Domain) -> list[Listed]:
    """A list, such as `manifest.csv`, with the columns path and label."""
    rows = _list(folder, domain)
    for row in rows:
        _must_be_label(row, domain)
        if row.mask:
            raise InvalidParameter(f"{row.place}: {domain.name} takes a label and no mask")
    return rows


def _masks(folder: Path, domain: Domain) -> list[Listed]:
    """A list with the column mask in place of label: a picture of the same size, light where the
    second label is; nothing stands there for a photograph without any of it."""
    ground, sought = domain.labels
    rows = _list(folder, domain)
    for row in rows:
        if row.label:
            _must_be_label(row, domain)
        if row.label == sought and not row.mask:
            raise InvalidParameter(f"{row.place}: label is {sought!r}, but there is no mask")
    return [replace(row, label=sought if row.mask else ground) for row in rows]


def _folders(folder: Path, domain: Domain) -> list[Listed]:
    """A folder a label, and no list: `fluid/leak1.wav`. Clips in a folder below it, which names
    their recording, machine or speaker, are one group, under every label."""
    if not folder.is_dir():
        raise InvalidParameter(
            f"the data set of {domain.name} was not found: expected a folder {folder.name!r} under "
            f"TELLTALE_DATASETS, and in it one for each label: {', '.join(domain.labels)}"
        )
    rows = labelled_folders(folder)
    if strange := {row.label for row in rows} - set(domain.labels):
        raise InvalidParameter(
            f"the folder {min(strange)!r} in {folder.name} is no label of {domain.name}; "
            f"its labels are {', '.join(domain.labels)}"
        )
    return rows


def _list(folder: Path, domain: Domain) -> list[Listed]:
    """All of whose files are there."""
    if (file := list_in(folder)) is None:
        raise InvalidParameter(
            f"the data set {domain.source.dataset!r} of {domain.name} was not found: expected "
            f"manifest.csv in a folder {folder.name!r} under TELLTALE_DATASETS"
        )
    rows = read_list(file)
    for row in rows:
        for path in filter(None, (row.path, row.mask)):
            if not os.path.isfile(path):
                name = os.path.relpath(path, folder)
                raise InvalidParameter(f"{row.place}: there is no file {name}")
    return rows


def _must_be_label(row: Listed, domain: Domain) -> None:
    try:
        domain.label_index(row.label)
    except UnknownName as error:
        raise InvalidParameter(f"{row.place}: {error}") from error


LAYOUTS: dict[str, Callable[[Path, Domain], list[Listed]]] = {
    "manifest": _manifest,
    "folders": _folders,
    "masks": _masks,
}
