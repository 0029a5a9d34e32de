"""An answer, as the page and the client are given it."""

from typing import Any

from serve_app.client.answers import Prediction


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
