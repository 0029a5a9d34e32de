"""The same training on other splits, and how well it does there: figures to set beside papers'.

    python -m training.crossval hearts --folds random       clips at random, as many papers split
    python -m training.crossval hearts --folds group        recordings together, as ours
    python -m training.crossval keywords --leave-out speaker    unseen speakers
    python -m training.crossval faults --leave-out label        unseen labels: are they "unknown"?
    python -m training.crossval training/recipes/esc50.yaml --folds fold    a benchmark's own folds

Every model starts from scratch, whatever training.start_from names: a pretrained backbone may have
learnt the very clips that a fold asks about. Models are thrown away as soon as they have answered;
the answers are kept in the work folder, and a fold that was broken off goes on from its last epoch:
the same command resumes.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data.domain import AudioDomain, Domain
from data.errors import TelltaleError
from data.home import DEFAULT_HOME
from data.sources import listed
from training.answers import answers_of
from training.aside import needed_dataset_root
from training.folds import LABEL, folds, leave_out
from training.model_card import CARDS
from training.protocols import Answer, Answers, record, said, split_entry, unknown_entry
from training.recipe import data_set

NICE = 10


def from_scratch(domain: AudioDomain) -> AudioDomain:
    training = domain.training.model_copy(update={"start_from": None})
    return domain.model_copy(update={"training": training})


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    os.nice(max(0, NICE - os.nice(0)))
    try:
        domain, root = from_scratch(data_set(options.domain)), needed_dataset_root()
        rows = [row for row in listed(domain, root) if not options.train or row.split == "train"]
        by, left_out = options.leave_out or options.folds, bool(options.leave_out)
        parts = leave_out(domain, rows, by) if left_out else folds(domain, rows, by, options.parts)
        parts = [fold for fold in parts if fold.name in (options.only or [fold.name])]
        way = f"without-{by}" if left_out else by
        work = options.work / domain.name / (f"{way}-train" if options.train else way)
        found: dict[str, list[Answer]] = {}
        for number, fold in enumerate(parts, 1):
            print(f"{fold.name} ({number} of {len(parts)}): {len(fold.train)} clips", flush=True)
            found[fold.name] = answers_of(fold, work, options.workers)
        line = entry(by, left_out, found, domain)
        if options.record:
            record(CARDS / f"{domain.name}.protocols.json", line)
        print(f"{domain.title}, {said(line)}")
    except TelltaleError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def entry(by: str, left_out: bool, found: Answers, domain: Domain) -> dict[str, Any]:
    if not left_out:
        told = split_entry(f"{by} split, {len(found)} parts", found, domain.labels)
    elif by != LABEL:
        told = split_entry(f"unseen {by}", found, domain.labels)
    else:
        told = unknown_entry("unseen label", found)
    return {**told, "note": f"{told['note']}; trained from scratch"}


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.crossval",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("domain", help="a domain, or the file of a recipe")
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--folds", help="random, group, or a column that says the folds")
    way.add_argument("--leave-out", help="label, or a column: each of its values once")
    parser.add_argument("--parts", type=int, default=5, help="of random and group folds")
    parser.add_argument(
        "--train", action="store_true", help="train rows only: to choose a recipe, exam unseen"
    )
    parser.add_argument("--record", action="store_true", help="beside the domain's model card")
    parser.add_argument("--only", nargs="+", help="these folds, e.g. on another machine")
    parser.add_argument("--workers", type=int, default=0, help="as of training.retrain")
    parser.add_argument("--work", type=Path, default=DEFAULT_HOME / "crossval")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
