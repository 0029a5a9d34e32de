"""An answer, as the page and the client are given it, and as it is kept."""

from typing import Any

from data.store.kept_predictions import NewPrediction
from models.card import BACKBONE
from serve_app.client.answers import Prediction
from support.replica import Replica


def prediction(**fields: Any) -> Prediction:
    return Prediction.model_validate(
        {
            "request_id": "r",
            "domain": "faults",
            "label": "fluid",
            "confidence": 0.7,
            "unknown": False,
            "probabilities": {"fluid": 0.7, "normal": 0.3},
            "model": {"version": "1", "digest": "0" * 64},
            "clip": {"container": "WAV", "duration_s": 1.0, "sample_rate_hz": 16000},
            "timings_ms": {"total": 3.0},
            **fields,
        }
    )


def keep_prediction(replica: Replica, raw: bytes) -> int:
    """Its number. Of the version that serves, whatever it would say."""
    served = replica.served
    new = NewPrediction(
        domain=replica.domain.name,
        version=served.version,
        label=served.bundle.labels[0],
        probabilities=dict.fromkeys(served.bundle.labels, 1 / len(served.bundle.labels)),
        unknown=False,
        why="unsure",
        backbone=served.bundle.card.files[BACKBONE],
        embedding=b"\0\0",
    )
    replica.store.predictions.add(new, raw, with_clip=True, days=1.0, most=100)
    return replica.store.predictions.find(new.domain)[0].id
