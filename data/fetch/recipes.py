"""Recipes: which clips of public data sets a shipped model learnt from, and under which labels.

`recipes/<name>.yaml` has a part for each public data set. A recipe becomes a data set in our own
layout, under the names that domain files have. Each key of a part narrows or changes what the data
set's own list (`data/datasets/manifests.py`) says; a clip is named by its file without the ending.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated

import yaml
from pydantic import BeforeValidator, Field

from data.datasets.manifests import Row
from data.domains.sections import Section
from data.errors import DownloadError, UnknownName
from data.fetch.catalogue import CATALOGUE

RECIPES = Path(__file__).resolve().parent / "recipes"

Names = Annotated[
    frozenset[str],
    BeforeValidator(lambda text: text.split() if isinstance(text, str) else text),
]


class Part(Section):
    """`path` and `mask` are where its files go: {label}, {stem} and {ending} are filled in.

    Without `labels`, ours by theirs, they stay as they are. `clips` are those that are taken, all
    by default, or, by `groups`, those that belong together; `left_out` are not. `tested` are the
    exam, of a group any clip; without it that is the data set's own.
    """

    published: str
    path: str
    mask: str = ""
    labels: Mapping[str, tuple[str, ...]] = {}
    clips: Names = frozenset()
    groups: tuple[Names, ...] = ()
    left_out: Names = frozenset()
    tested: Names = frozenset()

    @property
    def wanted(self) -> frozenset[str]:
        """The clips that are named and not left out; none where all are taken."""
        return self.clips.union(*self.groups) - self.left_out


class Recipe(Section):
    title: str
    parts: tuple[Part, ...] = Field(min_length=1)


def recipe_names() -> list[str]:
    return sorted(file.stem for file in RECIPES.glob("*.yaml"))


def load_recipe(name: str) -> Recipe:
    if name not in recipe_names():
        known = ", ".join([*recipe_names(), *CATALOGUE])
        raise UnknownName(f"there is no data set {name!r}; known are {known}")
    text = (RECIPES / f"{name}.yaml").read_text(encoding="utf-8")
    return Recipe.model_validate(yaml.safe_load(text))


def rows_of(part: Part, rows: list[Row]) -> list[tuple[Row, Row]]:
    """Of a data set's own rows those that are taken, each with the row that it becomes; raises
    DownloadError where one that is named is not there."""
    ours = {theirs: label for label, names in part.labels.items() for theirs in names}
    group_of = {stem: min(group) for group in part.groups for stem in group}
    tested = {group_of.get(stem, stem) for stem in part.tested}
    found = list(_taken(part, rows, ours))
    _must_be_whole(part, {_stem(row["path"]) for row in found})
    return [(row, _ours(part, row, ours, group_of, tested)) for row in found]


def _taken(part: Part, rows: list[Row], ours: Mapping[str, str]) -> Iterator[Row]:
    for row in rows:
        stem = _stem(row["path"])
        is_named = stem in part.wanted or not part.wanted
        if is_named and stem not in part.left_out and (not ours or row["label"] in ours):
            yield row


def _ours(
    part: Part,
    row: Row,
    ours: Mapping[str, str],
    group_of: Mapping[str, str],
    tested: set[str],
) -> Row:
    stem = _stem(row["path"])
    changed = dict(row)
    if part.tested:
        changed["split"] = "test" if group_of.get(stem, stem) in tested else "train"
    if stem in group_of:
        changed["group"] = group_of[stem]
    if ours:
        changed |= {"label": ours[row["label"]], "source": f"{row['source']}:{row['label']}"}
    places = {"path": part.path} | ({"mask": part.mask} if part.mask else {})
    for column, pattern in places.items():
        changed[column] = pattern.format(
            label=changed.get("label", ""), stem=stem, ending=PurePosixPath(row[column]).suffix
        )
    return changed


def _must_be_whole(part: Part, found: set[str]) -> None:
    if missing := sorted(part.wanted - found):
        raise DownloadError(
            f"{part.published} has {len(missing)} of the {len(part.wanted)} clips no longer that "
            f"the recipe names, as {missing[0]!r}: it has changed since"
        )


def _stem(path: str) -> str:
    return PurePosixPath(path).stem
