"""What the model of a fold answers: trained for that alone, asked as if served, and thrown away.

The answers stay in the work folder under the name of the fold and a digest of all that they come
from, and a training that was broken off goes on from its last epoch: the same fold, asked for
again, is never trained twice, and another recipe or split never gets its answers.
"""

import hashlib
import json
import tempfile
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from data.datasets.dataset import LabelledClip, from_example, read_file
from data.datasets.split import held_out
from data.domains.domain import Domain
from data.media.prepare import prepare
from models.runtime import OnnxModel
from training.assess.crossval_figures import FoldPrediction
from training.assess.folds import Fold
from training.job.full_retrain import make_from
from training.job.isolated import isolated_run
from training.job.lifecycle import discard
from training.job.plan import Plan
from training.job.provenance import recipe_digest

Clips = tuple[LabelledClip, ...]


def fold_predictions(fold: Fold, work: Path, workers: int) -> list[FoldPrediction]:
    """Found again in the work folder, or trained for now."""
    train, exam, strangers = sides = tuple(
        tuple(map(from_example, rows)) for rows in (fold.train, fold.exam, fold.strangers)
    )
    name = f"{fold.name}-{digest(fold.domain, sides)}"
    file = work / f"{name}.json"
    if not file.is_file():
        plan = Plan(train, held_out(train, fold.domain.training), exam, ())
        run = isolated_run(fold.domain, name, work, workers)
        with tempfile.TemporaryDirectory() as folder:
            bundle = make_from(run, plan, Path(folder) / "bundle").bundle
            found = ask(OnnxModel(bundle), [*exam, *strangers], fold.domain)
        _write(file, found)
        discard(run.home.runs, name)
    return [FoldPrediction(**answer) for answer in json.loads(file.read_text())]


def digest(domain: Domain, sides: Iterable[Clips]) -> str:
    """Of the recipe, and of which clips are learnt, asked about and strange."""
    listed = [[(clip.sha256, clip.label, clip.group) for clip in side] for side in sides]
    text = json.dumps([recipe_digest(domain), listed])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def ask(model: OnnxModel, clips: Sequence[LabelledClip], domain: Domain) -> list[FoldPrediction]:
    found = []
    for clip in clips:
        scores = model.predict([prepare(read_file(clip), domain).features])[0]
        found.append(
            FoldPrediction(
                clip.name,
                clip.group,
                clip.label,
                model.labels[scores.best],
                round(scores.confidence, 4),
                scores.unknown,
            )
        )
    return found


def _write(file: Path, found: Sequence[FoldPrediction]) -> None:
    part = file.with_suffix(f".{uuid.uuid4().hex}")
    part.write_text(json.dumps([asdict(answer) for answer in found]))
    part.rename(file)
