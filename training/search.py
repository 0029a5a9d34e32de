"""Better settings for a domain, searched by Ray Tune: what is tried learns on folds of train rows.

    telltale search faults --over training.learning_rate=0.0003..0.003 \\
        --over training.augment.noise_snr_db=0,5,15 --trials 12

`a..b` is drawn evenly on a logarithmic scale, `a,b,c` is a choice. The first trial is the domain
as it stands. Each learns fold after fold, whole trainings, since a schedule of one cycle shows what
it is worth only at its end; ASHA (Li et al. 2018, arXiv 1810.05934) ends those that fall behind the
better half after one fold, two and four. The exam is never asked. Folds that are done are found
again in the work folder, which is crossval's: the same command resumes. In MLflow the search is a
run, and each trial one below it.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from ray import tune
from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search import BasicVariantGenerator

from data.datasets.sources import Example, listed
from data.domains.domain import Domain, checked
from data.errors import InvalidParameter, TelltaleError
from data.home import home_from_env, planned_home
from data.terminal import command, new_parser
from models.registry.registry import Registry
from training.assess.crossval_figures import FoldPrediction, split_entry, with_interval
from training.assess.folds import GROUP, Fold, folds
from training.crossval import without_leaking_backbone
from training.fitting.backbone_recipe import any_data_set
from training.fitting.priority import lower_priority
from training.fitting.trainer import WORKER_CPUS, connect
from training.job.fold_predictions import fold_predictions
from training.job.isolated import needed_dataset_root
from training.job.options import at_least
from training.job.tracking import tracked_search

METRICS = {"classify": "macro_f1", "segment": "dice"}
FOLDS = "training_iteration"
SEED = 1

Predictions = Callable[..., list[FoldPrediction]]
Settings = Mapping[str, Any]  # "training.learning_rate" -> value


@dataclass(frozen=True)
class Space:
    """Where a key's value is drawn from: evenly on a logarithmic scale, or one of some."""

    key: str
    low: float = 0.0
    high: float = 0.0
    choices: tuple[Any, ...] = ()

    def for_tune(self) -> Any:
        return tune.choice(self.choices) if self.choices else tune.loguniform(self.low, self.high)


def space_from(text: str) -> Space:
    """`KEY=low..high` or `KEY=a,b,c`, values as in YAML."""
    key, _, values = text.partition("=")
    low, dots, high = values.partition("..")
    try:
        if dots and 0 < float(low) < float(high):
            return Space(key, float(low), float(high))
        choices = yaml.safe_load(f"[{values}]") if not dots else []
    except (ValueError, yaml.YAMLError):
        choices = []
    if not key or not choices:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither KEY=low..high with 0 < low < high nor KEY=a,b,c"
        )
    return Space(key, choices=tuple(choices))


def changed(domain: Domain, settings: Settings) -> Domain:
    """Raises InvalidDomain, or InvalidParameter for a key that there is not."""
    raw = domain.model_dump(mode="json")
    for key, value in settings.items():
        section, name = _place(raw, domain, key)
        section[name] = value
    return checked(raw, f"{domain.name} with {dict(settings)}")


def current(domain: Domain, spaces: Sequence[Space]) -> dict[str, Any]:
    """What the domain's file says of each key; raises as `changed` does."""
    raw = domain.model_dump(mode="json")
    found = [_place(raw, domain, space.key) for space in spaces]
    return {space.key: section[name] for space, (section, name) in zip(spaces, found, strict=True)}


def _place(raw: dict[str, Any], domain: Domain, key: str) -> tuple[dict[str, Any], str]:
    *sections, last = key.split(".")
    place: Any = raw
    for name in sections:
        place = place.get(name) if isinstance(place, dict) else None
    if not isinstance(place, dict) or last not in place:
        raise InvalidParameter(f"{domain.name} has no {key!r}; name one as training.learning_rate")
    return place, last


def try_settings(
    settings: Settings,
    domain: Domain,
    rows: Sequence[Example],
    parts: int,
    predictions: Callable[[Fold], list[FoldPrediction]],
) -> None:
    """One trial, in a process of Ray's: reports the figures of all folds so far after each."""
    lower_priority()
    tried, found = changed(domain, settings), dict[str, list[FoldPrediction]]()
    for fold in folds(tried, rows, GROUP, parts):
        found[fold.name] = predictions(fold)
        entry = split_entry("", found, domain.labels)
        figures = {name: each["value"] for name, each in entry["figures"].items()}
        tune.report({**figures, "figures": json.dumps(entry["figures"]), "note": entry["note"]})


def search(
    options: argparse.Namespace, predictions: Predictions = fold_predictions
) -> tune.ResultGrid:
    domain = any_data_set(options.domain)
    rows = listed(domain, needed_dataset_root())
    domain = without_leaking_backbone(domain, rows)
    train = [row for row in rows if row.split == "train"]
    now = current(domain, options.over)
    for space in options.over:  # what cannot be is said before the first hour is spent
        for value in space.choices or (space.low, space.high):
            changed(domain, {space.key: value})
    work, metric = options.work.resolve() / domain.name, METRICS[domain.task]
    connect()
    home = home_from_env()
    with tracked_search(Registry(home.tracking_uri, home.artifact_root), domain.name) as recorder:
        tuner = tune.Tuner(
            tune.with_resources(
                tune.with_parameters(
                    try_settings,
                    domain=domain,
                    rows=train,
                    parts=options.parts,
                    predictions=partial(predictions, work=work, workers=1),
                ),
                {"cpu": WORKER_CPUS},
            ),
            param_space={space.key: space.for_tune() for space in options.over},
            tune_config=tune.TuneConfig(
                metric=metric,
                mode="max",
                num_samples=options.trials,
                search_alg=BasicVariantGenerator(
                    points_to_evaluate=[now],
                    random_state=SEED,
                    max_concurrent=max(1, (os.cpu_count() or 1) - 1),
                ),
                scheduler=ASHAScheduler(max_t=options.parts, reduction_factor=2),
            ),
            run_config=tune.RunConfig(
                storage_path=str(work / "search"), verbose=0, callbacks=[Narrator(metric), recorder]
            ),
        )
        return tuner.fit()


class Narrator(tune.Callback):  # type: ignore[misc]  # untyped
    """Prints a line a fold: a search takes hours."""

    def __init__(self, metric: str) -> None:
        self._metric = metric

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **_: Any
    ) -> None:
        found = f"{self._metric} {result[self._metric]:.3f} after {result[FOLDS]} folds"
        print(f"trial {trial.trial_id[-5:]}: {found}; {in_words(trial.config)}", flush=True)


def in_words(settings: Settings) -> str:
    return ", ".join(
        f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in settings.items()
    )


def table(results: tune.ResultGrid, metric: str) -> str:
    """A line a trial, those that got furthest first, and of those the best."""
    rows = [(one.metrics or {}, one.config or {}) for one in results if one.error is None]
    rows = [row for row in rows if metric in row[0]]
    rows.sort(key=lambda row: (row[0][FOLDS], row[0][metric]), reverse=True)
    lines = [f"{'folds':>5}  {metric + ' (95 %)':26}settings"]
    for figures, settings in rows:
        interval = with_interval(json.loads(figures["figures"])[metric])
        lines.append(f"{figures[FOLDS]:5}  {interval:26}{in_words(settings)}")
    failed = len(results) - len(rows)
    lines += [f"{failed} trials failed; MLflow and the work folder say why"] if failed else []
    return "\n".join(lines)


@command(TelltaleError)
def main(
    arguments: Sequence[str] | None = None, predictions: Predictions = fold_predictions
) -> None:
    options = _parse(arguments)
    results = search(options, predictions)
    metric = METRICS[any_data_set(options.domain).task]
    print(table(results, metric))
    print(
        "The best of many is flattered by the choice: train the domain with its settings, and let "
        "the gate compare."
    )


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = new_parser("telltale search", __doc__)
    parser.add_argument("domain", help="a domain, or the file of a recipe")
    parser.add_argument(
        "--over", type=space_from, action="append", required=True, metavar="KEY=VALUES"
    )
    parser.add_argument("--trials", type=partial(at_least, least=2), default=12)
    parser.add_argument("--parts", type=partial(at_least, least=2), default=5, help="folds")
    parser.add_argument("--work", type=Path, default=planned_home().root / "crossval")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
