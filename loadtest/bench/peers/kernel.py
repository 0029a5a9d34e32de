"""What every peer computes for a clip: the same bundle, features and network as Telltale's own.

The bundle's folder comes from the environment, so that a peer's worker processes find it however
their framework starts them.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import orjson

from data.arrays import Floats
from data.media.prepare import prepare
from models.bundle import Bundle, load_bundle
from models.runtime import OnnxModel, Scores

BUNDLE = "TELLTALE_BENCH_BUNDLE"


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
    return orjson.dumps(
        {
            "label": bundle.labels[scores.best],
            "confidence": scores.confidence,
            "probabilities": dict(zip(bundle.labels, scores.probabilities.tolist(), strict=True)),
        }
    )
