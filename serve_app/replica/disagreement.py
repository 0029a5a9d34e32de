"""What the served model says of kept clips, beside what people have called them.

Clips that a retrain has listened to are kept as embeddings, and of one of the served backbone only
the head is missing: ten thousand take a fifth of a second. Of others counts what was
answered when somebody corrected them, if somebody did.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from data.arrays import Floats
from models.card import BACKBONE
from serve_app.client.answers import PredictionSummary
from serve_app.replica.champion import LoadedVersion

if TYPE_CHECKING:
    from data.store.store import Store

AGREES, UNHEARD = 0.0, -1.0


def current_predictions(
    store: "Store", served: LoadedVersion, clips: Sequence[str]
) -> dict[str, PredictionSummary]:
    """By digest, of those of these clips that were answered or heard."""
    answered = store.feedback.answered(served.domain.name, clips)
    found = {
        clip: PredictionSummary(label=label, confidence=confidence, version=version)
        for clip, (label, confidence, version) in answered.items()
    }
    for names, probabilities in _heard(store, served, clips):
        for clip, row in zip(names, probabilities, strict=True):
            best = int(row.argmax())
            found[clip] = PredictionSummary(
                label=served.bundle.labels[best],
                confidence=round(float(row[best]), 6),
                version=served.version,
            )
    return found


def by_disagreement(
    store: "Store", served: LoadedVersion, labels: Mapping[str, str | None]
) -> list[str]:
    """The clips of `labels`, those first of which the model is surest that they are something
    else; then those of which it is not, and last those that it has not heard."""
    doubts = _doubts_of_answers(store, served, labels) | _doubts(store, served, labels)
    return sorted(labels, key=lambda clip: -doubts.get(clip, UNHEARD))


def _doubts_of_answers(
    store: "Store", served: LoadedVersion, labels: Mapping[str, str | None]
) -> dict[str, float]:
    return {
        clip: confidence if labels.get(clip) not in (None, label) else AGREES
        for clip, (label, confidence, _) in store.feedback.answered(served.domain.name).items()
    }


def _doubts(
    store: "Store", served: LoadedVersion, labels: Mapping[str, str | None]
) -> dict[str, float]:
    """How much more likely than a clip's label the likeliest one is: from 0 to 1."""
    known = [*served.bundle.labels, None]
    places = {label: place for place, label in enumerate(known)}
    found: dict[str, float] = {}
    for names, probabilities in _heard(store, served, None):
        best = probabilities.max(axis=1, keepdims=True)
        # Without a label there is nothing to doubt; one that the model does not know is all wrong.
        own = np.hstack([probabilities, best, np.zeros_like(best)])
        chosen = [places.get(labels.get(clip), len(known)) for clip in names]
        doubts = best[:, 0] - own[np.arange(len(names)), chosen]
        found |= zip(names, doubts.tolist(), strict=True)
    return found


def _heard(
    store: "Store", served: LoadedVersion, clips: Sequence[str] | None
) -> Iterator[tuple[list[str], Floats]]:
    """Some clips at a time, with their calibrated probabilities [n, C]."""
    model = served.model
    backbone = served.bundle.card.files[BACKBONE]
    for names, values in store.features.embeddings(served.domain.name, backbone, clips):
        yield names, model.probabilities(model.head.logits(values))
