"""Pretrains a backbone that domains may start from: `training.start_from` in their files.

    telltale pretrain sounds [--workers 1] [--output FOLDER]

A recipe in `training/recipes/` says on which data sets, with which network and for how long. With
a worker and a GPU, Ray Train uses it. A run that was broken off goes on from its last epoch when
the same command is given again.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from data.datasets.dataset import from_example
from data.datasets.sources import fine_label
from data.datasets.split import held_out
from data.domains.domain import AudioDomain
from data.errors import TelltaleError
from data.home import planned_home
from data.terminal import command, new_parser
from models.networks.backbone import BACKBONES, write_backbone
from training.fitting.backbone_recipe import Recipe, as_domain, load_recipe, material
from training.fitting.priority import lower_priority
from training.job.full_retrain import train
from training.job.isolated import isolated_run, needed_dataset_root
from training.job.lifecycle import discard
from training.job.options import positive, whole
from training.job.plan import Plan
from training.job.provenance import code_version

PREFIX = "backbone."


def planned(recipe: Recipe, name: str, root: Path) -> tuple[AudioDomain, Plan, int]:
    """The recipe as a domain, its clips, and how many were left out: see `material`."""
    found = material(recipe, root)
    clips = tuple(
        replace(from_example(row), label=fine_label(row.source, row.label)) for row in found.rows
    )
    domain = as_domain(recipe, name, tuple(sorted({clip.label for clip in clips})))
    held = held_out(clips, domain.training, dict.fromkeys(found.held, True))
    return domain, Plan(clips, held, (), ()), found.left_out


def learnt_groups(plan: Plan) -> set[str]:
    return {clip.group for clip, held in zip(plan.clips, plan.held_out, strict=True) if not held}


def pretrain(recipe: Recipe, name: str, work: Path, workers: int, output: Path) -> str:
    """Returns the line that says what came of it."""
    domain, plan, left_out = planned(recipe, name, needed_dataset_root())
    unheard = f"{left_out} left out, as exams or folds have them"
    print(f"{len(plan.clips)} clips of {len(domain.labels)} classes; {unheard}", flush=True)
    since = time.monotonic()
    run = isolated_run(domain, name, work, workers)
    trained = train(run, plan)
    best = min(trained.history, key=lambda epoch: epoch["validation_loss"])
    weights = {
        key.removeprefix(PREFIX): value
        for key, value in trained.weights.items()
        if key.startswith(PREFIX)
    }
    facts = {
        "classes": domain.labels,
        "clips": len(plan.clips),
        "left_out": left_out,
        "validation_clips": int(np.sum(plan.held_out)),
        "validation_macro_f1": round(best["validation_macro_f1"], 4),
        "validation_loss": round(best["validation_loss"], 4),
        "epochs": len(trained.history),
        "seconds": round(time.monotonic() - since),
        "code_version": code_version(),
    }
    learnt = learnt_groups(plan)
    write_backbone(output, domain, weights, facts, learnt, recipe.stands_in_for)
    discard(run.home, run.progress.run_id)
    return (
        f"Backbone {name}: macro-F1 {best['validation_macro_f1']:.3f} on "
        f"{facts['validation_clips']} validation clips of {len(domain.labels)} classes."
    )


@command(TelltaleError)
def main(arguments: Sequence[str] | None = None) -> None:
    parser = new_parser("telltale pretrain", __doc__)
    parser.add_argument("recipe", help="a name in training/recipes/, or the file of one")
    parser.add_argument("--workers", type=whole, default=0, help="as of training.retrain")
    parser.add_argument("--epochs", type=positive, help="other than the recipe's")
    parser.add_argument("--work", type=Path, default=planned_home().root / "pretrain")
    parser.add_argument("--output", type=Path, help="default: models/backbones/<recipe>")
    options = parser.parse_args(arguments)
    lower_priority()
    name = Path(options.recipe).stem
    recipe = load_recipe(options.recipe)
    if options.epochs:
        training = recipe.training.model_copy(update={"epochs": options.epochs})
        recipe = recipe.model_copy(update={"training": training})
    output = options.output or BACKBONES / name
    print(pretrain(recipe, name, options.work, options.workers, output))


if __name__ == "__main__":
    sys.exit(main())
