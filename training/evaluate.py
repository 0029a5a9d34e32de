"""The exam of a bundle: from the embeddings it carries, or from the clips themselves.

    python -m training.evaluate faults [--bundle FOLDER]

prints the figures on the card beside those found again; from the clips too where the data set is
there. All three must agree: that is what makes a card worth reading.
"""

import argparse
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from data.dataset import Floats
from data.domain import Domain, load_domains
from data.errors import TelltaleError
from data.prepare import prepare
from data.sources import dataset_root, examples
from models.bundle import PRETRAINED, Bundle, load_bundle
from models.calibration import softmax
from models.runtime import OnnxModel
from models.tasks import TASKS, Metrics
from models.tensors import Embeddings, Head
from training.gate import ExamPaper


def examine(domain: Domain, head: Head, temperature: float, exam: Embeddings) -> Metrics:
    probabilities = softmax(head.logits(exam.values) / np.float32(temperature))
    return TASKS[domain.task](probabilities, exam.labels, domain.labels)


def paper(bundle: Bundle) -> ExamPaper:
    exam = bundle.exam()
    best = bundle.head().logits(exam.values).argmax(axis=1)
    return ExamPaper(exam.clip_ids, exam.labels, best.astype(np.int64))


def from_embeddings(bundle: Bundle) -> Metrics:
    return examine(bundle.domain, bundle.head(), bundle.card.temperature, bundle.exam())


def from_clips(bundle: Bundle, dataset: Path) -> Metrics:
    """Decodes, prepares and scores every exam clip as serving does."""
    domain, model = bundle.domain, OnnxModel(bundle)
    rows = [row for row in examples(domain, dataset) if row.split == "test"]
    probabilities: list[Floats] = [
        model.predict([prepare(row.path.read_bytes(), domain).features])[0].probabilities
        for row in rows
    ]
    labels = np.array([domain.label_index(row.label) for row in rows], np.int64)
    return TASKS[domain.task](np.stack(probabilities), labels, domain.labels)


def answers(bundle: Bundle, clips: Collection[str]) -> dict[str, tuple[str, float]]:
    """What a bundle says of clips it remembers: label and confidence by sha256."""
    memory = bundle.memory()
    scaled = bundle.head().logits(memory.values) / np.float32(bundle.card.temperature)
    return {
        clip: (bundle.labels[row.argmax()], float(row.max()))
        for clip, row in zip(memory.clip_ids, softmax(scaled), strict=True)
        if clip in clips
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


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    parser.add_argument("domain")
    parser.add_argument("--bundle", type=Path, help="default: the shipped one of the domain")
    options = parser.parse_args(arguments)
    try:
        load_domains(names=(options.domain,))
        bundle = load_bundle(options.bundle or PRETRAINED / options.domain)
        columns = {"card": bundle.card.metrics.exam, "embeddings": from_embeddings(bundle)}
        if dataset := dataset_root():
            columns["clips"] = from_clips(bundle, dataset)
    except TelltaleError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("\n".join(table(columns)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
