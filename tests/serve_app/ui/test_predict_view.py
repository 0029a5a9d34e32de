"""predict_view.py: an answer that may not be relied on says so, and why."""

from typing import Any

import pytest

from serve_app.client.answers import Prediction
from serve_app.ui.tabs.predict_view import answer


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


def test_an_unknown_clip_is_told_why_and_what_is_nearest() -> None:
    said = answer(prediction(unknown=True))
    assert "unlike anything this model has learnt" in said
    assert "The nearest is <b>fluid</b>" in said


@pytest.mark.parametrize(("asserted", "hint"), [(True, False), (None, False), (False, True)])
def test_an_answer_below_what_its_label_needs_is_only_a_hint(
    asserted: bool | None, hint: bool
) -> None:
    assert ("A hint only" in answer(prediction(asserted=asserted))) is hint


def test_nothing_is_almost_certain_and_a_hint_only_at_once() -> None:
    said = answer(prediction(confidence=0.97, asserted=False))
    assert "Almost certain" not in said
    assert "Probably: <b>97 %</b>" in said
    assert "too few validation clips" in said
    assert "Almost certain: <b>97 %</b>" in answer(prediction(confidence=0.97, asserted=True))
    assert "No more than a guess" in answer(prediction(confidence=0.4, asserted=False))


def test_what_a_person_should_know_of_the_clip_is_said() -> None:
    said = answer(prediction(clip={"container": "WAV", "warnings": ["the file is cut off"]}))
    assert "The file is cut off." in said
