"""What every peer computes for a clip: the same bundle, features and network as Telltale's own. And
the floor: the same over and over in some processes, no server.

The bundle's folder comes from the environment, so that a peer's worker processes find it however
their framework starts them.
"""

import multiprocessing
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from threading import Barrier

import orjson

from data.arrays import Floats
from data.media.prepare import prepare
from models.bundle import Bundle, load_bundle
from models.runtime import OnnxModel, Scores

BUNDLE = "TELLTALE_BENCH_BUNDLE"
WARM_UP = 20
PATIENCE_S = 60


class Kernel:
    def __init__(self) -> None:
        self._bundle = bundle_from_env()
        self._model = OnnxModel(self._bundle)

    def __call__(self, clip: bytes) -> bytes:
        return self.answers([self.features(clip)])[0]

    def features(self, clip: bytes) -> Floats:
        """A clip of any format -> [windows, mels, frames]."""
        return prepare(clip, self._bundle.domain).features

    def answers(self, batch: Sequence[Floats]) -> list[bytes]:
        return [as_json(self._bundle, scores) for scores in self._model.predict(batch)]


def bundle_from_env() -> Bundle:
    return load_bundle(Path(os.environ[BUNDLE]))


def as_json(bundle: Bundle, scores: Scores) -> bytes:
    probabilities = dict(zip(bundle.labels, scores.probabilities.tolist(), strict=True))
    label, confidence = bundle.labels[scores.best], scores.confidence
    return orjson.dumps({"label": label, "confidence": confidence, "probabilities": probabilities})


def worked(clip: bytes, processes: int, seconds: float) -> tuple[int, float]:
    """Clips, and the seconds of CPU they took. Raises what the kernel raises."""
    fresh = multiprocessing.get_context("spawn")
    with fresh.Manager() as manager, ProcessPoolExecutor(processes, fresh) as pool:
        given = clip, seconds, manager.Barrier(processes)
        found = [*pool.map(_worked, *([each] * processes for each in given))]
    return sum(row[0] for row in found), sum(row[1] for row in found)


def _worked(clip: bytes, seconds: float, start: Barrier) -> tuple[int, float]:
    kernel = Kernel()
    for _ in range(WARM_UP):
        kernel(clip)
    start.wait(PATIENCE_S)  # for one that failed before it got here, all fail
    clips, cpu, end = 0, time.process_time(), time.perf_counter() + seconds
    while time.perf_counter() < end:
        kernel(clip)
        clips += 1
    return clips, time.process_time() - cpu
