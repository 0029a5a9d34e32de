"""What a bundle answers in its exam: from the embeddings it carries, or from the clips."""

from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
from scipy.special import log_softmax

from data.arrays import Doubles, Floats, Integers
from data.datasets.dataset import LabelledClip, from_example, read_file
from data.datasets.sources import examples
from data.domains.domain import Domain
from data.media.prepare import prepare
from models.bundle import Bundle
from models.calibration import softmax
from models.masks import strongest
from models.metrics import TASKS, Metrics
from models.runtime import OnnxModel
from models.tensors import Embeddings, Head
from training.assess.gate import ExamPredictions
from training.assess.memory_rows import row_labels, rows_of


def exam_metrics(domain: Domain, head: Head, temperature: float, exam: Embeddings) -> Metrics:
    probabilities = softmax(head.logits(exam.values) / np.float32(temperature))
    return TASKS[domain.task](probabilities, exam.labels, domain.labels)


def exam_predictions(bundle: Bundle) -> ExamPredictions:
    return answers_of(bundle.head(), bundle.exam())


def answers_of(head: Head, exam: Embeddings) -> ExamPredictions:
    best = head.logits(exam.by_clip).argmax(axis=2).astype(np.int64)
    return ExamPredictions(exam.clip_ids, exam.labels_by_clip, best, exam.groups)


def label_losses(head: Head, values: Floats, labels: Integers, temperature: float = 1.0) -> Doubles:
    """The cross entropy of each right label [N], by embeddings [N, D]."""
    log_p = log_softmax(head.logits(values).astype(np.float64) / temperature, axis=1)
    return np.asarray(-log_p[np.arange(len(labels)), labels])


def exam_loss(bundle: Bundle) -> float:
    """The mean over the exam's clips, or pixels."""
    exam = bundle.exam()
    temperature = bundle.card.temperature
    return float(label_losses(bundle.head(), exam.values, exam.labels, temperature).mean())


def from_embeddings(bundle: Bundle) -> Metrics:
    return exam_metrics(bundle.domain, bundle.head(), bundle.card.temperature, bundle.exam())


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


def remembered_answers(bundle: Bundle, clips: Collection[str]) -> dict[str, tuple[str, float]]:
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
