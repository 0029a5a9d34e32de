"""What is known of a domain's data and model, as numbers: the page draws them.

From the card of what serves, the store and the registry; asked for at most once in FRESH_S.
"""

import asyncio
import logging
import time
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from fastapi import APIRouter, Request

from data.domains.domain import AudioDomain
from data.domains.sections import LogMelSpec
from data.media.audio.log_mel_means import centres_hz, mfcc
from data.store.run_curves import run_curves
from models import insight_sentences as sentences
from models.card import Card
from serve_app.client import insight_answers as answers
from serve_app.client.service_answers import ModelVersion
from serve_app.http.answers.responses import caller_of, service_of
from serve_app.http.openapi import openapi_of
from serve_app.http.replica import Replica
from serve_app.http.requests.parameters import ONLY_KNOWN_PARAMETERS
from serve_app.http.threads import reading
from serve_app.replica.champion import LoadedVersion

if TYPE_CHECKING:
    from data.store.store import Store

FRESH_S = 10.0
PATIENCE_S = 2.0

log = logging.getLogger("ray.serve")


class FreshInsights:
    """A replica's, for FRESH_S or until another version serves; asked by many, found once."""

    def __init__(self) -> None:
        self._finding = asyncio.Lock()
        self._until = 0.0
        self._found: answers.Insights | None = None

    async def get(self, service: Replica) -> answers.Insights:
        async with self._finding:
            served = service.champion.served
            found = self._found
            if found is None or time.monotonic() >= self._until or found.digest != served.digest:
                found = await _insights(service, served)
                self._found, self._until = found, time.monotonic() + FRESH_S
            return found


router = APIRouter(tags=["service"], **ONLY_KNOWN_PARAMETERS)


@router.get("/insights", **openapi_of(503, role="viewer"))
async def insights(request: Request) -> answers.Insights:
    """Counts of clips, what waits for training, the serving version's figures, the curves of the
    last full retrains, the versions, and what each label sounds like in the mean."""
    caller_of(request, "viewer")
    fresh: FreshInsights = request.app.state.insights
    return await fresh.get(service_of(request))


async def _insights(service: Replica, served: LoadedVersion) -> answers.Insights:
    name, card = service.domain.name, served.bundle.card
    kept, waiting = await reading(lambda: _clips(service.store, name))
    return answers.Insights(
        domain=name,
        version=served.version,
        digest=served.digest,
        kept=kept,
        waiting=waiting,
        learnt=await reading(_learnt, served),
        exam=_exam(card),
        runs=await reading(lambda: _curves(service.store, name)),
        versions=await _versions(service),
        features=_features(card),
    )


def _clips(store: "Store", domain: str) -> tuple[answers.KeptClips, answers.WaitingClips]:
    rows, waiting = store.counts.kept(domain), store.counts.waiting(domain)
    by_label: dict[str, Counter[Any]] = {}
    totals: dict[str, Counter[str]] = {"label": Counter(), "split": Counter(), "source": Counter()}
    for row in rows:
        by_label.setdefault(row.label or "", Counter())[row.state] += row.clips
        totals["label"][row.label or ""] += row.clips
        totals["split"][row.split or ""] += row.clips
        totals["source"][row.source] += row.clips
    kept = answers.KeptClips(
        clips=totals["label"].total(),
        by_label={label: dict(states) for label, states in sorted(by_label.items())},
        by_split=dict(totals["split"]),
        by_source=dict(totals["source"]),
        by_week={week: dict(labels) for week, labels in store.counts.by_week(domain).items()},
        sentence=sentences.of_kept(totals["label"]),
    )
    told = answers.WaitingClips(by_label=waiting, sentence=sentences.of_waiting(waiting))
    return kept, told


def _learnt(served: LoadedVersion) -> answers.LearntClips:
    labels = served.bundle.memory().labels_by_clip.max(axis=1)  # of a photograph what it shows
    counts = np.bincount(labels, minlength=len(served.bundle.labels)).tolist()
    split = served.bundle.card.split
    return answers.LearntClips(
        by_label=dict(zip(served.bundle.labels, counts, strict=True)),
        train=split.train,
        validation=split.validation,
        exam=split.exam,
    )


def _exam(card: Card) -> answers.ExamFigures:
    exam, masks = card.metrics.exam, card.metrics.masks
    folds = card.metrics.out_of_fold
    ordered = {label: exam.per_class[label] for label in card.labels}
    return answers.ExamFigures.model_validate(
        {
            **asdict(exam),
            "per_class": {label: asdict(figures) for label, figures in ordered.items()},
            "masks": masks and asdict(masks),
            "out_of_fold": folds and folds.model_dump() | {"sentence": sentences.of_folds(folds)},
            "sentence": sentences.of_exam(exam),
        }
    )


def _curves(store: "Store", domain: str) -> tuple[answers.RunCurve, ...]:
    return tuple(answers.RunCurve(**vars(curve)) for curve in run_curves(store, domain))


async def _versions(service: Replica) -> tuple[ModelVersion, ...]:
    try:
        async with asyncio.timeout(PATIENCE_S):
            rows = await service.ask_curator("versions", service.domain.name)
    except Exception:  # whatever keeps the curator from answering
        log.warning("the curator does not say which versions there are", exc_info=True)
        return ()
    return tuple(map(ModelVersion.model_validate, rows))


def _features(card: Card) -> answers.FeatureMeans | None:
    means, domain = card.training.log_mel_means, card.domain
    if not means or not isinstance(domain, AudioDomain):
        return None
    assert isinstance(domain.features, LogMelSpec), domain.features
    mel_hz = centres_hz(domain.features)
    coefficients = mfcc(np.array(list(means.values()), np.float64))
    return answers.FeatureMeans(
        mel_hz=np.round(mel_hz, 1).tolist(),
        log_mel={label: tuple(frame) for label, frame in means.items()},
        mfcc=dict(zip(means, map(tuple, np.round(coefficients, 3).tolist()), strict=True)),
        sentences=sentences.of_features(means, mel_hz),
    )
