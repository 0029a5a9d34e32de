"""python -m data fetch: public data sets from where their makers publish them."""

import argparse
import csv
from collections import Counter
from pathlib import Path

from data.datasets.sources import dataset_root
from data.fetch.catalogue import CATALOGUE, Published, published
from data.fetch.public_datasets import RECEIPT, fetch
from data.install_paths import own_folder


def offer(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    fetching = commands.add_parser("fetch", help="a public data set; without a name: which")
    fetching.add_argument("name", nargs="?", metavar="NAME")
    fetching.add_argument("--to", type=Path, help="default: TELLTALE_DATASETS, else datasets/")
    fetching.add_argument("--as", dest="folder", metavar="FOLDER", help="default: its name")
    fetching.add_argument("--url", help="a mirror of it; default: the official place")
    fetching.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    if options.name is None:
        for name, known in CATALOGUE.items():
            print(f"{name:16} {known.size:>12}  {known.title}\n{'':31}{known.licence}")
        return 0
    known = published(options.name)
    print("\n".join(terms(known, options.url or known.url)), flush=True)
    root = options.to or dataset_root() or own_folder("datasets")
    folder, made = fetch(options.folder or options.name, known, options.url or known.url, root)
    print(f"{folder} {'is ready' if made else 'was fetched before'}: {contents(folder)}")
    return 0


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
