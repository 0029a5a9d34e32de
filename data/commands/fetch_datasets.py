"""python -m data fetch: public data sets from where their makers publish them."""

import argparse
import csv
from collections import Counter
from pathlib import Path

from data.datasets.sources import dataset_root
from data.errors import InvalidParameter
from data.fetch.catalogue import CATALOGUE, Published, published
from data.fetch.public_datasets import RECEIPT, fetch
from data.fetch.recipe_datasets import fetch_recipe
from data.fetch.recipes import load_recipe, recipe_names
from data.install_paths import own_folder


def offer(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    fetching = commands.add_parser(
        "fetch", help="data sets, and those of the shipped models; without a name: which"
    )
    fetching.add_argument("name", nargs="?", metavar="NAME")
    fetching.add_argument("--to", type=Path, help="default: TELLTALE_DATASETS, else datasets/")
    fetching.add_argument("--as", dest="folder", metavar="FOLDER", help="default: its name")
    fetching.add_argument("--url", help="a mirror of it; default: the official place")
    fetching.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    if options.name is None:
        print("\n".join(choice()))
        return 0
    root = options.to or dataset_root() or own_folder("datasets")
    name = options.folder or options.name
    if options.name in CATALOGUE:
        known = published(options.name)
        print("\n".join(terms(known, options.url or known.url)), flush=True)
        folder, made = fetch(name, known, options.url or known.url, root)
    else:
        folder, made = fetch_by_recipe(options.name, name, options.url, root)
    print(f"{folder} {'is ready' if made else 'was fetched before'}: {contents(folder)}")
    return 0


def choice() -> list[str]:
    lines = ["What the shipped models learnt from, under the names of their domains:"]
    lines += [f"{name:16} {load_recipe(name).title}" for name in recipe_names()]
    lines += ["Public data sets:"]
    for name, known in CATALOGUE.items():
        lines += [f"{name:16} {known.size:>12}  {known.title}", f"{'':31}{known.licence}"]
    return lines


def fetch_by_recipe(recipe_name: str, name: str, url: str | None, root: Path) -> tuple[Path, bool]:
    recipe = load_recipe(recipe_name)
    sources = [part.published for part in recipe.parts]
    if url:
        raise InvalidParameter(
            f"{recipe_name} is made of {', '.join(sources)}: fetch what has a mirror first, by its "
            "own name and --url, and it is taken from there"
        )
    print(recipe.title)
    for known in map(published, sources):
        print("\n".join(terms(known, known.url)), flush=True)
    return fetch_recipe(name, recipe, root)


def terms(known: Published, url: str) -> list[str]:
    return [
        known.title,
        f"  from      {url} ({known.size})",
        f"  licence   {known.licence}; see {known.home}",
        f"  checksum  {known.checksum or 'not published'}",
    ]


def contents(folder: Path) -> str:
    file = folder / "manifest.csv"
    if not file.is_file():
        return f"see {RECEIPT}; it has no manifest.csv, so write one before training"
    with file.open(newline="", encoding="utf-8") as lines:
        counts = Counter(row["split"] for row in csv.DictReader(lines))
    return f"{counts['train']} clips to train on, {counts['test']} to test, see {RECEIPT}"
