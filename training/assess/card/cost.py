"""What an answer costs: milliseconds of one core. Of the CPU's time, for others may be at work."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from data.datasets.sources import examples
from data.media.prepare import prepare
from models.bundle import Bundle
from models.runtime import OnnxModel

TIMES = 50


def window_ms(bundle: Bundle, model: OnnxModel) -> float:
    """Network and head, of one window (a part of a photograph as large as those learnt from)."""
    features = bundle.exam_and_probe()[1].features
    return _median_ms(lambda: model.predict([features]))


def clip_ms(bundle: Bundle, model: OnnxModel, dataset: Path) -> tuple[float, int]:
    """A clip of the exam from its bytes to its scores, and how many bytes those are."""
    rows = examples(bundle.domain, dataset)
    raw = next(row.path for row in rows if row.split == "test").read_bytes()
    return _median_ms(lambda: model.predict([prepare(raw, bundle.domain).features])), len(raw)


def _median_ms(work: Callable[[], object]) -> float:
    spent = []
    with threadpool_limits(1):
        for _ in range(TIMES):
            started = time.process_time()
            work()
            spent.append(1000 * (time.process_time() - started))
    return float(np.median(spent))
