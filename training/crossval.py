"""The same training on other splits, and how well it does there: figures to set beside papers'.

    telltale crossval hearts --folds random       clips at random, as many papers split
    telltale crossval hearts --folds group        recordings together, as ours
    telltale crossval keywords --leave-out speaker    unseen speakers
    telltale crossval faults --leave-out label        unseen labels: are they "unknown"?
    telltale crossval training/recipes/esc50.yaml --folds fold    a benchmark's own folds
    telltale crossval cracks --folds group        photographs: how well masks agree
    telltale crossval faults --folds group --keep   bundles for training.trial, of train rows only

A model starts from the backbone that training.start_from names, or from one that stands in for it,
only if that has heard none of the data set's recordings, otherwise from scratch: it may have learnt
the very clips that a fold asks about. Models are thrown away as soon as they have answered
(with --keep they stay beside the answers, with the data set's own exam);
the answers are kept in the work folder, and a fold that was broken off goes on from its last epoch:
the same command resumes.
"""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from data.datasets.dataset import from_example
from data.datasets.sources import Example, listed
from data.domains.domain import AudioDomain, Domain
from data.errors import InvalidParameter, TelltaleError, UnknownName
from data.home import planned_home
from data.terminal import command, new_parser
from models.networks.backbone import backbone_of, stand_ins
from training.assess.card.model_card import CARDS
from training.assess.crossval_figures import (
    Answers,
    FoldPrediction,
    drawn_whole,
    figure_in_words,
    protocols_file,
    record,
    split_entry,
    unknown_entry,
)
from training.assess.folds import LABEL, Fold, folds, leave_out
from training.fitting.backbone_recipe import any_data_set
from training.fitting.priority import lower_priority
from training.job.fold_predictions import fold_predictions
from training.job.isolated import needed_dataset_root
from training.job.options import at_least, whole
from training.job.provenance import code_version


def without_leaking_backbone(domain: Domain, rows: Sequence[Example]) -> Domain:
    """From its backbone, or one that stands in for it, only if that has learnt none of these
    recordings, else from scratch."""
    if domain.start_from is None:
        return domain
    for name in (domain.start_from, *stand_ins(domain.start_from)):
        started = _starting_from(name, domain)
        backbone = backbone_of(started)
        if backbone and backbone.learnt_groups and not backbone.has_learnt({r.group for r in rows}):
            return started
    if isinstance(domain, AudioDomain) and domain.network.starts_from:
        raise InvalidParameter(
            f"network.kind {domain.network.kind} cannot be trained without {domain.start_from}, "
            "which has learnt from some of these recordings"
        )
    return _starting_from(None, domain)


def _starting_from(name: str | None, domain: Domain) -> Domain:
    training = domain.training.model_copy(update={"start_from": name})
    return domain.model_copy(update={"training": training})


def compare(options: argparse.Namespace) -> str:
    """Returns the line that says what came of it."""
    if options.record and (options.only or options.train or options.keep):
        raise InvalidParameter(
            "what is recorded is of all folds: without --only and --train, --keep"
        )
    domain = any_data_set(options.domain)
    by, left_out = options.leave_out or options.folds, bool(options.leave_out)
    listing = listed(domain, needed_dataset_root())
    domain = without_leaking_backbone(domain, listing)
    only_train = options.train or options.keep
    rows = [row for row in listing if not only_train or row.split == "train"]
    exam = tuple(from_example(row) for row in listing if row.split == "test")
    parts = leave_out(domain, rows, by) if left_out else folds(domain, rows, by, options.parts)
    parts = _named(parts, options.only) if options.only else parts
    _must_have_clips(parts)
    found: dict[str, list[FoldPrediction]] = {}
    for number, fold in enumerate(parts, 1):
        print(f"{fold.name} ({number} of {len(parts)}): {len(fold.train)} clips", flush=True)
        found[fold.name] = fold_predictions(
            fold, options.work / domain.name, options.workers, exam if options.keep else None
        )
    line = entry(by, left_out, found, domain)
    if options.record:
        record(protocols_file(CARDS, domain.name), line)
    return f"{domain.title}, {figure_in_words(line)}"


def _named(parts: Sequence[Fold], names: Sequence[str]) -> list[Fold]:
    known = {fold.name: fold for fold in parts}
    if unknown := sorted(set(names) - set(known)):
        raise UnknownName(f"there is no fold {unknown[0]!r}; there are {', '.join(known)}")
    return [known[name] for name in names]


def _must_have_clips(parts: Sequence[Fold]) -> None:
    for fold in parts:
        for what, rows in (("learn from", fold.train), ("be asked about", fold.exam)):
            if not rows:
                raise InvalidParameter(
                    f"{fold.name} has no clip to {what}; unseen labels are asked about beside test "
                    "rows, which --train leaves out"
                )


def entry(by: str, left_out: bool, found: Answers, domain: Domain) -> dict[str, Any]:
    if not left_out:
        told = split_entry(f"{by} split, {len(found)} parts", found, domain.labels)
    elif by != LABEL:
        told = split_entry(f"unseen {by}", drawn_whole(found), domain.labels)
    else:
        told = unknown_entry("unseen label", found)
    start = f"started from {domain.start_from}" if domain.start_from else "trained from scratch"
    note = f"{told['note']}; {start}"
    return {
        **told,
        "note": note,
        "recipe": domain.recipe_digest,
        "start": domain.start_from,
        "code": code_version(),
    }


@command(TelltaleError)
def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    lower_priority()
    print(compare(options))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = new_parser("telltale crossval", __doc__)
    parser.add_argument("domain", help="a domain, or the file of a recipe")
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--folds", help="random, group, or a column that says the folds")
    way.add_argument("--leave-out", help="label, or a column: each of its values once")
    parser.add_argument(
        "--parts", type=partial(at_least, least=2), default=5, help="of random and group folds"
    )
    parser.add_argument(
        "--train", action="store_true", help="train rows only: to choose a recipe, exam unseen"
    )
    parser.add_argument(
        "--keep", action="store_true", help="each fold's bundle, of train rows only as by --train"
    )
    parser.add_argument("--record", action="store_true", help="beside the domain's model card")
    parser.add_argument("--only", nargs="+", help="these folds, e.g. on another machine")
    parser.add_argument("--workers", type=whole, default=0, help="as of training.retrain")
    parser.add_argument("--work", type=Path, default=planned_home().root / "crossval")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
