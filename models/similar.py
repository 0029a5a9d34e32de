"""Which of the clips that a model remembers are most like another clip, by their embeddings.

Of a photograph the mean of its remembered pixels counts: they tell what it is a photograph of, and
how much of it is what is sought.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from data.arrays import Floats
from data.domains.domain import Domain
from data.media.prepare import prepare
from models.bundle import Bundle
from models.masks import places
from models.runtime import OnnxModel
from models.tensors import Embeddings


@dataclass(frozen=True)
class Neighbour:
    """`label` is what it is remembered as; `distance` is Euclidean, as that which says unknown."""

    sha256: str
    label: str
    distance: float


def neighbours(raw: bytes, bundle: Bundle) -> list[Neighbour]:
    """All remembered clips, the nearest first; raises a ClipError where there is nothing to ask."""
    domain, memory = bundle.domain, bundle.memory()
    features = prepare(raw, domain).features
    mine = OF_CLIP[domain.task](features, OnnxModel(bundle))
    far = np.linalg.norm(memory.by_clip.mean(axis=1) - mine, axis=1)
    labels = _labels(memory, domain)
    order = np.argsort(far, kind="stable")
    return [Neighbour(memory.clip_ids[place], labels[place], float(far[place])) for place in order]


def _labels(memory: Embeddings, domain: Domain) -> list[str]:
    """Of a photograph the label that is sought, where any of it is."""
    return [domain.labels[label] for label in memory.labels_by_clip.max(axis=1)]


def _whole(features: Floats, model: OnnxModel) -> Floats:
    return np.asarray(model.embed(features)[0].mean(axis=0))


def _its_pixels(features: Floats, model: OnnxModel) -> Floats:
    return np.asarray(model.embed(features)[1][0, places(*features.shape[2:])].mean(axis=0))


OF_CLIP: dict[str, Callable[[Floats, OnnxModel], Floats]] = {
    "classify": _whole,
    "segment": _its_pixels,
}
