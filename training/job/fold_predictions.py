"""What the model of a fold answers: trained for that alone, asked as if served, and thrown away
or kept as a bundle.

The answers stay in the work folder under the name of the fold and a digest of all that they come
from, and a training that was broken off goes on from its last epoch: the same fold, asked for
again, is never trained twice, and another recipe or split never gets its answers.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data.atomic import atomic_file, replace_folder
from data.datasets.dataset import LabelledClip, from_example, read_file
from data.datasets.split import held_out
from data.domains.domain import Domain, ImageDomain
from data.errors import InvalidParameter
from data.media.prepare import prepare
from models.bundle import Bundle, load_bundle
from models.networks.backbone import backbone_of
from models.runtime import OnnxModel, Scores
from training.assess.crossval_figures import FoldPrediction
from training.assess.folds import Fold
from training.job.full_retrain import make_from
from training.job.isolated import isolated_run
from training.job.lifecycle import discard
from training.job.plan import Plan

Clips = tuple[LabelledClip, ...]


@dataclass(frozen=True)
class KeptFold:
    """A fold's model as a bundle, and the clips that neither it nor its exam has."""

    bundle: Bundle
    left_out: Clips


def fold_predictions(
    fold: Fold, work: Path, workers: int, exam: Clips | None = None
) -> list[FoldPrediction]:
    """Found again in the work folder, or trained for now. With an `exam` of its own, which are
    clips that no fold has, the fold's bundle carries that one and stays there: see `kept_fold`."""
    train, left_out, strangers = sides = _sides(fold)
    name = f"{fold.name}-{digest(fold.domain, sides)}"
    file, kept = work / f"{name}.json", work / f"{name}.bundle"
    if not file.is_file() or (exam and not kept.is_dir()):
        plan = Plan(train, held_out(train, fold.domain.training), exam or left_out, ())
        run = isolated_run(fold.domain, name, work, workers)
        with tempfile.TemporaryDirectory(dir=work) as folder:
            bundle = make_from(run, plan, Path(folder) / "bundle").bundle
            found = ask(OnnxModel(bundle), [*left_out, *strangers], fold.domain)
            if exam:
                replace_folder(bundle.path, kept)
        _write(file, found)
        discard(run.home, name)
    return [FoldPrediction(**answer) for answer in json.loads(file.read_text())]


def kept_fold(fold: Fold, work: Path, made_by: str) -> KeptFold:
    """Raises InvalidParameter, which says with which options crossval makes it, where it was not
    kept."""
    sides = _sides(fold)
    folder = work / f"{fold.name}-{digest(fold.domain, sides)}.bundle"
    if not folder.is_dir():
        raise InvalidParameter(
            f"the model of {fold.name} of {fold.domain.name} was not kept; make it by "
            f"telltale crossval {fold.domain.name} {made_by} --keep"
        )
    return KeptFold(load_bundle(folder), sides[1])


def _sides(fold: Fold) -> tuple[Clips, Clips, Clips]:
    train, exam, strangers = (
        tuple(map(from_example, rows)) for rows in (fold.train, fold.exam, fold.strangers)
    )
    return train, exam, strangers


def digest(domain: Domain, sides: Iterable[Clips]) -> str:
    """Of the recipe, of what it starts from, of which clips are learnt, asked about and strange,
    and of the sounds by which a clip is unknown."""
    listed = [[(clip.sha256, clip.label, clip.group) for clip in side] for side in sides]
    backbone = backbone_of(domain)
    start = [backbone.sha256] if backbone else []
    others = list(domain.model_dump(include={"other_sounds"}).values())
    text = json.dumps([domain.recipe_digest, listed, *start, *others])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def ask(model: OnnxModel, clips: Sequence[LabelledClip], domain: Domain) -> list[FoldPrediction]:
    found = []
    for clip in clips:
        scores = model.answer([prepare(read_file(clip), domain)])[0]
        found.append(
            FoldPrediction(
                clip.name,
                clip.group,
                clip.label,
                model.labels[scores.best],
                round(scores.confidence, 4),
                scores.unknown,
                scores.asserted,
                OVERLAPS[domain.task](scores, clip, domain),
            )
        )
    return found


def _none(*_: object) -> None:
    return None


def _overlap(scores: Scores, clip: LabelledClip, domain: ImageDomain) -> tuple[int, int, int]:
    from data.datasets.photographs import read_mask  # Pillow, which sounds do without

    assert scores.mask is not None, clip.name
    mask = read_mask(clip, read_file, domain)
    right = np.zeros_like(scores.mask) if mask is None else mask
    return int((scores.mask & right).sum()), int(scores.mask.sum()), int(right.sum())


# Each is given the domains of its own task only, which their type cannot say.
OVERLAPS: dict[str, Callable[[Scores, LabelledClip, Any], tuple[int, int, int] | None]] = {
    "classify": _none,
    "segment": _overlap,
}


def _write(file: Path, found: Sequence[FoldPrediction]) -> None:
    with atomic_file(file) as part:
        part.write(json.dumps([asdict(answer) for answer in found]).encode())
