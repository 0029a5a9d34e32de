"""Pictures of a model, for MLflow's page and its card: where it errs, how sure, how it learnt."""

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
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*counts.shape):
        ink = "white" if shares[row, column] > 0.6 else "black"
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=ink)
    axes.set_xticks(range(len(bundle.labels)), bundle.labels, rotation=45, ha="right")
    axes.set_yticks(range(len(bundle.labels)), bundle.labels)
    axes.set(xlabel="answer", ylabel="right label", title=f"{bundle.domain.title}: exam")
    figure.savefig(file, dpi=100)


def draw_reliability(bundle: Bundle, file: Path) -> None:
    """How often answers were right against how sure they were; dots as large as they are many."""
    bins = bundle.card.metrics.exam.reliability
    figure = Figure(figsize=(4, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="grey", linestyle="dashed", linewidth=1)
    sure, right = [each.confidence for each in bins], [each.accuracy for each in bins]
    most = max((each.count for each in bins), default=1)
    axes.plot(sure, right, linewidth=1)
    axes.scatter(sure, right, [15 + 200 * each.count / most for each in bins], alpha=0.7)
    axes.set(xlabel="confidence", ylabel="right", xlim=(0, 1.02), ylim=(-0.02, 1.05))
    axes.set_title(f"{bundle.domain.title}: exam")
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
