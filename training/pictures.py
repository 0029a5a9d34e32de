"""Two pictures of a training run, for MLflow's page: where it errs, and how it learnt."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from models.bundle import Bundle


def draw_confusion(bundle: Bundle, file: Path) -> None:
    """Rows are the right labels, columns the answers."""
    counts = np.array(bundle.card.metrics.exam.confusion)
    side = 2 + 0.6 * len(bundle.labels)
    figure = Figure(figsize=(side, side), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.imshow(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), cmap="Blues", vmax=1)
    for row, column in np.ndindex(*counts.shape):
        axes.text(column, row, str(counts[row, column]), ha="center", va="center")
    axes.set_xticks(range(len(bundle.labels)), bundle.labels, rotation=45, ha="right")
    axes.set_yticks(range(len(bundle.labels)), bundle.labels)
    axes.set(xlabel="answer", ylabel="right label", title=f"{bundle.domain.title}: exam")
    figure.savefig(file, dpi=100)


def draw_curves(history: Sequence[Mapping[str, Any]], file: Path) -> None:
    figure = Figure(figsize=(8, 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    loss, score = figure.subplots(1, 2)
    epochs = [epoch["epoch"] for epoch in history]
    for name in ("train_loss", "validation_loss"):
        loss.plot(epochs, [epoch[name] for epoch in history], label=name.replace("_", " "))
    loss.legend()
    loss.set(xlabel="epoch", title="loss")
    score.plot(epochs, [epoch["validation_macro_f1"] for epoch in history])
    score.set(xlabel="epoch", title="validation macro-F1", ylim=(0, 1))
    figure.savefig(file, dpi=100)
