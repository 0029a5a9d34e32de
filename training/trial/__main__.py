"""Are corrections learnt, and does a bad one do no lasting harm? Each kind of teaching, tried on
clips that neither the exam nor the training has.

    telltale trial faults                    on the shipped model and its validation groups
    telltale trial faults --folds            on the models that telltale crossval --keep made, too
    telltale trial faults --only poison creep --seeds 20

Teaches are fitted, judged and held back as by telltale retrain, on embeddings, so that a hundred
take a minute. The table says what each kind did in the mean, with the interval over models and
seeds; a bar that is missed is said and ends the command with 1.
"""

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from data.datasets.dataset import from_example
from data.datasets.sources import listed
from data.domains.domain import AudioDomain, load_domains
from data.errors import InvalidParameter, TelltaleError
from data.home import planned_home
from data.terminal import command, new_parser
from training.assess.folds import folds
from training.crossval import without_leaking_backbone
from training.fitting.priority import lower_priority
from training.job.fold_predictions import kept_fold
from training.job.isolated import needed_dataset_root
from training.job.options import at_least
from training.job.provenance import code_version
from training.trial.material import TrialMaterial, material_of, shipped_fold
from training.trial.scenarios import SCENARIOS
from training.trial.trial_report import Row, draw, row_of, table


def materials(domain: AudioDomain, options: argparse.Namespace) -> dict[str, TrialMaterial]:
    """By what it is of."""
    work, root = options.work, needed_dataset_root()
    listing = listed(domain, root)
    exam = tuple(from_example(row) for row in listing if row.split == "test")
    found = {"shipped": material_of(shipped_fold(domain, root), domain, work, exam)}
    if options.folds:
        started = without_leaking_backbone(domain, listing)
        start = f"from {started.start_from or 'scratch'}"
        rows = [row for row in listing if row.split == "train"]
        for fold in folds(started, rows, options.by, options.parts):
            made_by = f"--folds {options.by} --parts {options.parts}"
            kept = kept_fold(fold, options.kept / domain.name, made_by)
            found[f"{fold.name}, {start}"] = material_of(kept, domain, work)
    return found


def run(options: argparse.Namespace) -> tuple[dict[str, TrialMaterial], list[Row]]:
    domain = load_domains(names=(options.domain,))[options.domain]
    if not isinstance(domain, AudioDomain):
        raise InvalidParameter(f"{domain.name} is of photographs; a trial is of recordings")
    models = materials(domain, options)
    for name, facts in zip(models, map(_facts, models.values()), strict=True):
        print(f"{name}: {facts['clips']} clips left out, in {facts['groups']} groups", flush=True)
    figures: dict[str, list[list[float]]] = defaultdict(list)
    for name in options.only:
        since = time.monotonic()
        for material in models.values():
            for seed in range(options.seeds):
                rng = np.random.default_rng([seed, sum(map(ord, name))])
                for figure, values in SCENARIOS[name](material, rng).items():
                    figures[figure].append(values)
        print(f"{name}: {time.monotonic() - since:.0f} s", flush=True)
    return models, [row_of(figure, runs, domain.name) for figure, runs in figures.items()]


@command(TelltaleError)
def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    lower_priority()
    started = datetime.now(UTC)
    models, rows = run(options)
    print(table(rows))
    if options.report:
        options.report.mkdir(parents=True, exist_ok=True)
        about = {
            "domain": options.domain,
            "started": started.isoformat(timespec="seconds"),
            "code": code_version(),
            "seeds": options.seeds,
            "models": {name: _facts(material) for name, material in models.items()},
            "figures": [vars(row) for row in rows],
        }
        file = options.report / f"{options.domain}.json"
        file.write_text(json.dumps(about, indent=2), encoding="utf-8")
        draw(rows, options.report / f"{options.domain}.png", options.domain)
    missed = [row.figure for row in rows if row.passed is False]
    print(f"missed: {', '.join(missed)}" if missed else "every bar is held")
    return 1 if missed else 0


def _facts(material: TrialMaterial) -> dict[str, Any]:
    return {
        "bundle": material.bundle.digest,
        "clips": len(material.labels),
        "groups": len(np.unique(material.groups)),
    }


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = new_parser("telltale trial", __doc__)
    parser.add_argument("domain")
    parser.add_argument("--only", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS))
    parser.add_argument("--seeds", type=partial(at_least, least=1), default=3)
    parser.add_argument("--folds", action="store_true", help="with what crossval --keep has made")
    parser.add_argument("--by", default="group", help="as crossval's --folds")
    parser.add_argument("--parts", type=partial(at_least, least=2), default=5)
    parser.add_argument("--report", type=Path, help="a folder for the figures and the plot")
    home = planned_home().root
    parser.add_argument("--kept", type=Path, default=home / "crossval", help="crossval's --work")
    parser.add_argument("--work", type=Path, default=home / "trial")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
