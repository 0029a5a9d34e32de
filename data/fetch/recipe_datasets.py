"""A recipe -> a folder to train on: its public data sets fetched, and what it takes of them listed.

A public data set that lies in the same root already, fetched before, is taken from there; else it
is fetched into `.fetch`, and thrown away when all is done: a recipe that was broken off goes on
with what it has. As every fetched folder, this one appears whole, with a receipt.
"""

import json
import shutil
from contextlib import suppress
from pathlib import Path

from data.atomic import staging
from data.datasets.manifests import Row, write_manifest
from data.errors import Conflict, DownloadError
from data.fetch.catalogue import published
from data.fetch.public_datasets import ASIDE, RECEIPT, fetch
from data.fetch.recipes import Part, Recipe, rows_of


def fetch_recipe(name: str, recipe: Recipe, root: Path) -> tuple[Path, bool]:
    """The folder `root/name`, and whether it was made now; raises Conflict or DownloadError."""
    folder, aside = root / name, root / ASIDE
    if (folder / RECEIPT).is_file():
        return folder, False
    if folder.exists():
        raise Conflict(f"{folder} is there already, and was not fetched; name another by --as")
    sources = [_public(part, root, aside) for part in recipe.parts]
    try:
        with staging(folder) as made:
            taken = zip(recipe.parts, sources, strict=True)
            rows = [row for part, source in taken for row in _take(part, source, made)]
            write_manifest(made, rows)
            _write_receipt(made, recipe, sources)
            made.rename(folder)
        for source in sources:
            if source.parent == aside:
                shutil.rmtree(source)
        with suppress(OSError):  # another download may be there
            aside.rmdir()
    except OSError as error:
        raise DownloadError(f"{root} cannot be written to: {error.strerror or error}") from error
    return folder, True


def _public(part: Part, root: Path, aside: Path) -> Path:
    if (root / part.published / RECEIPT).is_file():
        return root / part.published
    source = published(part.published)
    return fetch(part.published, source, source.url, aside)[0]


def _take(part: Part, source: Path, folder: Path) -> list[Row]:
    """Copies what is taken; its rows."""
    rows = rows_of(part, _listed(part, source))
    for theirs, ours in rows:
        for column in {"path", "mask"} & ours.keys():
            target = folder / ours[column]
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / theirs[column], target)
    return [ours for _, ours in rows]


def _listed(part: Part, source: Path) -> list[Row]:
    rows = published(part.published).rows
    assert rows is not None, f"{part.published} has no list"
    try:
        return rows(source)
    except (OSError, KeyError, ValueError) as error:
        raise DownloadError(
            f"{part.published} is laid out as it was not before: {error}"
        ) from error


def _write_receipt(folder: Path, recipe: Recipe, sources: list[Path]) -> None:
    parts = [json.loads((source / RECEIPT).read_bytes()) for source in sources]
    receipt = {"title": recipe.title, "parts": parts}
    (folder / RECEIPT).write_text(json.dumps(receipt, indent=2) + "\n", encoding="utf-8")
