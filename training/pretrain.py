"""Pretrains a backbone that domains may start from: `training.start_from` in their files.

    python -m training.pretrain sounds [--workers 1] [--output FOLDER]

A recipe in `training/recipes/` says on which data sets, with which network and for how long. With
a worker and a GPU, Ray Train uses it. A run that was broken off goes on from its last epoch when
the same command is given again.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from data.dataset import from_example
from data.errors import TelltaleError
from data.home import DEFAULT_HOME
from data.split import validation_mask
from models.backbone import BACKBONES, write_backbone
from training.aside import aside, needed_dataset_root
from training.full import train
from training.leftovers import discard
from training.plan import Plan
from training.provenance import code_version
from training.recipe import as_domain, load_recipe, material, taught_class

NICE = 10
PREFIX = "backbone."


def pretrain(name: str, work: Path, workers: int, output: Path, epochs: int | None) -> str:
    """Returns the line that says what came of it."""
    recipe = load_recipe(name)
    name = Path(name).stem
    found = material(recipe, needed_dataset_root())
    rows = found.rows
    classes = tuple(sorted({taught_class(row) for row in rows}))
    domain = as_domain(recipe, name, classes)
    if epochs:
        training = domain.training.model_copy(update={"epochs": epochs})
        domain = domain.model_copy(update={"training": training})
    labels = [taught_class(row) for row in rows]
    held_out = validation_mask(
        labels,
        [row.group for row in rows],
        domain.training.validation_fraction,
        domain.training.seed,
        dict.fromkeys(found.held, True),
    )
    unheard = f"{found.left_out} left out, as exams have them"
    print(f"{len(rows)} clips of {len(classes)} classes; {unheard}", flush=True)
    since = time.monotonic()
    clips = tuple(
        replace(from_example(row), label=label) for row, label in zip(rows, labels, strict=True)
    )
    run = aside(domain, name, work, workers)
    trained = train(run, Plan(clips, held_out, (), ()))
    best = min(trained.history, key=lambda epoch: epoch["validation_loss"])
    weights = {
        key.removeprefix(PREFIX): value
        for key, value in trained.weights.items()
        if key.startswith(PREFIX)
    }
    facts = {
        "classes": classes,
        "clips": len(rows),
        "left_out": found.left_out,
        "validation_clips": int(np.sum(held_out)),
        "validation_macro_f1": round(best["validation_macro_f1"], 4),
        "validation_loss": round(best["validation_loss"], 4),
        "epochs": len(trained.history),
        "seconds": round(time.monotonic() - since),
        "code_version": code_version(),
    }
    write_backbone(output, domain, weights, facts)
    discard(run.home.runs, run.progress.run_id)
    return (
        f"Backbone {name}: macro-F1 {best['validation_macro_f1']:.3f} on "
        f"{facts['validation_clips']} validation clips of {len(classes)} classes."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m training.pretrain",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", help="a name in training/recipes/, or the file of one")
    parser.add_argument("--workers", type=int, default=0, help="as of training.retrain")
    parser.add_argument("--epochs", type=int, help="other than the recipe's")
    parser.add_argument("--work", type=Path, default=DEFAULT_HOME / "pretrain")
    parser.add_argument("--output", type=Path, help="default: models/backbones/<recipe>")
    options = parser.parse_args(arguments)
    os.nice(max(0, NICE - os.nice(0)))
    output = options.output or BACKBONES / Path(options.recipe).stem
    try:
        line = pretrain(options.recipe, options.work, options.workers, output, options.epochs)
    except TelltaleError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
