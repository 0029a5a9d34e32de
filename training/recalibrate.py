"""A bundle's calibration, fitted anew from what it carries: for cards made before it was there.
So are the mean log-mel frames of its labels, from the data set.

    telltale recalibrate faults [--bundle FOLDER]
    telltale recalibrate faults --folds group
    telltale recalibrate faults --precision 0.95 --from reviews

The second asks the models that telltale crossval --keep made of folds, trained by the same recipe
(from what stands in for its backbone, where that has heard them), about the clips that each lacked:
temperature, limits and assertions then rest on all train rows instead of a few validation clips,
the card leads with how well those models did, and the bundle carries their answers. The third sets
only how sure an answer has to be to be asserted, from what people have reviewed, and registers that
as a version beside this home's champion (`training/assess/calibration/reviewed_thresholds.py`).

Of the first two: nothing is learnt, network, head and memory stay. The data set says which of the
remembered clips were validation, and which clips belong together; both follow from the card's
domain. The bundle gets a new digest, for its card is new.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from data.datasets.dataset import read_file
from data.datasets.sources import dataset_root, listed
from data.domains.domain import Domain, load_domains
from data.errors import Conflict, InvalidParameter, TelltaleError
from data.home import home_from_env, planned_home
from data.media.audio.log_mel_means import LogMelMeans
from data.media.prepare import prepare
from data.terminal import command, new_parser
from models.bundle import Bundle, rewrite_bundle
from models.card import EXAM, OTHERS, OUT_OF_FOLD
from models.export import OnnxBackbone
from models.tensors import exam_bytes, fold_answer_bytes, others_bytes
from training.assess.bank_facts import bank_facts
from training.assess.calibration.calibrate import calibrate, validation
from training.assess.calibration.out_of_fold import FoldCalibration, carried, figures_of
from training.assess.calibration.reviewed_thresholds import PRECISION, recalibrate_by_reviews
from training.assess.examine import exam_metrics
from training.assess.folds import RANDOM, folds
from training.assess.memory_rows import numbered
from training.crossval import without_leaking_backbone
from training.job.fold_answers import gather
from training.job.isolated import needed_dataset_root
from training.job.options import at_least, rebuild_command
from training.job.other_sounds import absent, other_sounds
from training.job.plan import Plan, plan_full
from training.screening.uploads import NO_UPLOADS

REVIEWS = "--from"


def recalibrate(
    bundle: Bundle, dataset: Path | None, asked: FoldCalibration | None = None
) -> Bundle:
    """Replaces the folder's card and exam, and what folds said if they are `asked` anew; raises
    Conflict if the data set is not the one the bundle was trained on."""
    domain, head, memory = bundle.domain, bundle.head(), bundle.memory()
    plan = plan_full(domain, dataset, NO_UPLOADS)
    exam, probe = bundle.exam_and_probe()
    _must_be_the_same(bundle, plan, memory.clip_ids, exam.clip_ids)
    held = dict(zip((clip.sha256 for clip in plan.clips), plan.held_out, strict=True))
    groups = {clip.sha256: clip.group for clip in plan.clips}
    others, known_bank = bundle.others(), bundle.card.training.other_sounds
    if not len(others):
        known_bank = None
        others = other_sounds(domain, OnnxBackbone(bundle.backbone()))
    asked = asked or carried(bundle, {clip.sha256: clip.label for clip in plan.clips})
    held_out = validation(
        domain,
        head,
        memory,
        np.array([held[clip] for clip in memory.clip_ids]),
        [groups[clip] for clip in memory.clip_ids],
        others,
    )
    fields = calibrate(domain, held_out, asked.answers if asked else None)
    card = bundle.card
    figures = exam_metrics(domain, head, fields["temperature"], exam)
    facts = {
        **card.training.model_dump(),
        "log_mel_means": _log_mel_means(plan, domain),
        "other_sounds": known_bank or bank_facts(domain, len(others), absent(domain)),
    }
    files = {EXAM: exam_bytes(replace(exam, groups=numbered(plan.exam)), probe)}
    if len(others):
        files[OTHERS] = others_bytes(others)
    fields |= {"training": facts, "metrics": {"exam": figures, "masks": card.metrics.masks}}
    if asked:
        files[OUT_OF_FOLD] = fold_answer_bytes(asked.answers)
        fields["metrics"]["out_of_fold"] = figures_of(asked, domain)
    return rewrite_bundle(bundle, bundle.path, fields=fields, files=files)


def ask_folds(bundle: Bundle, dataset: Path, by: str, parts: int, work: Path) -> FoldCalibration:
    rows = listed(bundle.domain, dataset)
    domain = without_leaking_backbone(bundle.domain, rows)
    _can_be_asked(bundle, domain, by)
    train = [row for row in rows if row.split == "train"]
    command = f"--folds {by} --parts {parts}"
    answers = gather(bundle, folds(domain, train, by, parts), work / domain.name, command)
    return FoldCalibration(answers, by, domain.start_from)


def _can_be_asked(bundle: Bundle, domain: Domain, by: str) -> None:
    if bundle.domain.task != "classify" or by == RANDOM:
        raise InvalidParameter(
            "confidence can rest on folds of whole groups, or of a column of the data set (a "
            "speaker), and where clips are classified: of clips dealt at random, models have heard "
            "the recordings that they are asked about"
        )
    now = load_domains(names=(domain.name,))[domain.name]
    if bundle.domain.recipe_digest != now.recipe_digest:
        raise Conflict(
            f"this bundle was trained by another recipe than {domain.name}'s file has now, by "
            "which telltale crossval trains folds"
        )
    if bundle.domain.start_from and domain.start_from is None:
        raise Conflict(
            f"{domain.name} starts from {bundle.domain.start_from}, which has heard clips that its "
            "folds would be asked about, and nothing stands in for it: telltale pretrain a recipe "
            f"with stands_in_for: {bundle.domain.start_from}"
        )


def _log_mel_means(plan: Plan, domain: Domain) -> dict[str, list[float]] | None:
    means = LogMelMeans(domain)
    for clip in plan.clips if means.has_log_mel else ():
        means.add(clip.label, prepare(read_file(clip), domain).features)
    return means.card_field()


def _must_be_the_same(
    bundle: Bundle, plan: Plan, memory: Sequence[str], exam: Sequence[str]
) -> None:
    learnt, asked = ([clip.sha256 for clip in clips] for clips in (plan.clips, plan.exam))
    same = sorted(learnt) == sorted(memory) and asked == list(exam)
    if not same or int(plan.held_out.sum()) != bundle.card.split.validation:
        raise Conflict(
            f"this {bundle.domain.name} bundle remembers {len(memory)} clips, which are not the "
            f"{len(learnt)} of the data set or were split otherwise; only a bundle trained on the "
            "data set alone, as it is now, can be calibrated anew (a full retrain makes one)"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    if any(word.startswith(REVIEWS) for word in given):
        return _by_reviews(given)
    return rebuild_command(_rebuild, "recalibrate", __doc__, given, _add_folds)


def _add_folds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--folds", help="as of telltale crossval, which has kept their models")
    parser.add_argument("--parts", type=partial(at_least, least=2), default=5, help="as there")
    parser.add_argument(
        "--work", type=Path, default=planned_home().root / "crossval", help="as there"
    )


def _rebuild(bundle: Bundle, options: argparse.Namespace) -> Bundle:
    if options.folds is None:
        return recalibrate(bundle, dataset_root())
    root = needed_dataset_root()
    return recalibrate(
        bundle, root, ask_folds(bundle, root, options.folds, options.parts, options.work)
    )


@command(TelltaleError)
def _by_reviews(arguments: Sequence[str]) -> None:
    parser = new_parser("telltale recalibrate", __doc__)
    parser.add_argument("domain")
    parser.add_argument(REVIEWS, dest="source", choices=["reviews"], required=True)
    parser.add_argument("--precision", type=_precision, default=PRECISION)
    options = parser.parse_args(arguments)
    domain = load_domains(names=(options.domain,))[options.domain]
    lines = recalibrate_by_reviews(domain, home_from_env(), options.precision)
    sys.stdout.write("\n".join(lines) + "\n")


def _precision(text: str) -> float:
    value = float(text)
    if not 0.5 <= value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 0.5 and below 1, got {text}")
    return value


if __name__ == "__main__":
    sys.exit(main())
