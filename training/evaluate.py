"""The exam of a bundle: from the embeddings it carries, or from the clips themselves.

    python -m training.evaluate faults [--bundle FOLDER] [--output models/cards]

prints the figures on the card beside those found again; from the clips too where the data set is
there. All three must agree: that is what makes a card worth reading. The model is the champion of
this TELLTALE_HOME, else the shipped one. `--output` writes a Markdown card with plots.
"""

import argparse
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np

from data.datasets.dataset import Floats, Kept, LabelledClip, from_example
from data.datasets.sources import dataset_root, examples
from data.domains.domain import Domain, load_domains
from data.errors import TelltaleError
from data.home import planned_home
from data.media.prepare import prepare
from models.bundle import Bundle, load_bundle
from models.calibration import softmax
from models.local import current
from models.masks import strongest
from models.metrics import TASKS, Metrics
from models.runtime import OnnxModel
from models.tensors import Embeddings, Head
from training.assess.gate import ExamPaper
from training.job.memory_rows import row_labels, rows_of


def examine(domain: Domain, head: Head, temperature: float, exam: Embeddings) -> Metrics:
    probabilities = softmax(head.logits(exam.values) / np.float32(temperature))
    return TASKS[domain.task](probabilities, exam.labels, domain.labels)


def paper(bundle: Bundle) -> ExamPaper:
    exam = bundle.exam()
    best = bundle.head().logits(exam.by_clip).argmax(axis=2)
    return ExamPaper(exam.clip_ids, exam.labels_by_clip, best.astype(np.int64))


def from_embeddings(bundle: Bundle) -> Metrics:
    return examine(bundle.domain, bundle.head(), bundle.card.temperature, bundle.exam())


def from_clips(bundle: Bundle, dataset: Path) -> Metrics:
    """Decodes, prepares and embeds every exam clip as serving does."""
    domain, model = bundle.domain, OnnxModel(bundle)
    values, labels = [], []
    for clip in exam_clips(domain, dataset):
        features = prepare(read_file(clip), domain).features
        values.append(rows_of(features, model.embed(features), domain))
        labels.append(row_labels(clip, read_file, domain))
    probabilities = model.probabilities(model.head.logits(np.concatenate(values)))
    return TASKS[domain.task](probabilities, np.concatenate(labels), domain.labels)


def exam_clips(domain: Domain, dataset: Path) -> list[LabelledClip]:
    return [from_example(row) for row in examples(domain, dataset) if row.split == "test"]


def read_file(kept: Kept) -> bytes:
    assert kept.path is not None, kept.sha256
    return kept.path.read_bytes()


def answers(bundle: Bundle, clips: Collection[str]) -> dict[str, tuple[str, float]]:
    """What a bundle says of clips it remembers: label and confidence by sha256."""
    memory = bundle.memory()
    scaled = bundle.head().logits(memory.by_clip) / np.float32(bundle.card.temperature)
    pooled = (softmax(OF_CLIP[bundle.domain.task](rows)) for rows in scaled)
    return {
        clip: (bundle.labels[row.argmax()], float(row.max()))
        for clip, row in zip(memory.clip_ids, pooled, strict=True)
        if clip in clips
    }


def _strongest(rows: Floats) -> Floats:
    return np.asarray(rows[strongest(rows)].mean(axis=0))


# A clip's logits from those of its rows [rows, labels], as `models/runtime.py` has them from all.
OF_CLIP: dict[str, Callable[[Floats], Floats]] = {
    "classify": lambda rows: np.asarray(rows[0]),
    "segment": _strongest,
}


def table(columns: dict[str, Metrics]) -> list[str]:
    """Lines: one figure a line, one source a column."""
    labels = list(next(iter(columns.values())).per_class)
    width = max(len(label) for label in (*labels, "calibration error")) + 5
    rows = {
        "accuracy": [figures.accuracy for figures in columns.values()],
        "macro-F1": [figures.macro_f1 for figures in columns.values()],
        "calibration error": [figures.ece for figures in columns.values()],
        **{
            f"F1 {label}": [figures.per_class[label].f1 for figures in columns.values()]
            for label in labels
        },
    }
    lines = [" " * width + "".join(f"{name:>12}" for name in columns)]
    return lines + [
        name.ljust(width) + "".join(f"{value:12.3f}" for value in values)
        for name, values in rows.items()
    ]


def mask_lines(bundle: Bundle, dataset: Path | None) -> list[str]:
    """Dice and IoU over all pixels, with 95 % intervals; nothing where no masks are drawn."""
    card = bundle.card.metrics.masks
    if card is None:
        return []
    lines = [f"all pixels of {card.photographs} photographs in {card.groups} groups"]
    columns = {"card": card}
    if dataset:
        from training.assess.thresholds import mask_figures

        clips = exam_clips(bundle.domain, dataset)
        embed = OnnxModel(bundle).embed
        found = mask_figures(bundle.head(), clips, embed, read_file, bundle.domain)
        columns |= {"clips": found} if found else {}
    for name, figures in columns.items():
        dice, iou = figures.dice, figures.iou
        lines.append(
            f"{name:>8}: Dice {dice.value:.3f} ({dice.low:.3f} to {dice.high:.3f}), "
            f"IoU {iou.value:.3f} ({iou.low:.3f} to {iou.high:.3f})"
        )
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    parser.add_argument("domain")
    parser.add_argument("--bundle", type=Path, help="default: this home's champion, or the shipped")
    parser.add_argument("--output", type=Path, help="folder for a Markdown card and its plots")
    options = parser.parse_args(arguments)
    try:
        domain = load_domains(names=(options.domain,))[options.domain]
        if options.bundle:
            folder, which = options.bundle, f"from {options.bundle}"
        else:
            folder, version = current(domain, planned_home())
            which = f"version {version}"
        bundle = load_bundle(folder)
        columns = {"card": bundle.card.metrics.exam, "embeddings": from_embeddings(bundle)}
        if dataset := dataset_root():
            columns["clips"] = from_clips(bundle, dataset)
        lines = [f"{domain.name}, {which}", *table(columns), *mask_lines(bundle, dataset)]
        if options.output:
            from training.model_card import write_model_card  # and matplotlib

            lines.append(f"card: {write_model_card(bundle, dataset, options.output)}")
    except TelltaleError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
