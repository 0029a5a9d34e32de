"""ask_card.py: an answer that may not be relied on says so, and why."""

import pytest

from serve_app.ui.places.ask.ask_card import answer, unsure
from support.predictions import prediction


def test_an_unknown_clip_is_told_why_and_what_is_nearest() -> None:
    said = answer(prediction(unknown=True, unknown_reason="unlike anything learnt"))
    assert "This is unlike anything learnt." in said
    assert "The nearest is <b>fluid</b>" in said


def test_silence_is_not_nearest_to_anything() -> None:
    said = answer(prediction(unknown=True, unknown_reason="too quiet: -81 dBFS"))
    assert "Too quiet to tell" in said
    assert "This is too quiet: -81 dBFS." in said
    assert "nearest" not in said


def test_evidence_that_argues_against_the_answer_says_so() -> None:
    heard = {"labels": ["fluid", "normal"], "start_s": [0.0, 0.1], "step_s": 0.1}
    against = answer(prediction(evidence=heard | {"scores": [[0.6, 0.4], [0.1, 0.9]]}))
    assert "Moment by moment it speaks more for normal" in against
    fits = answer(prediction(evidence=heard | {"scores": [[0.6, 0.4], [0.7, 0.3]]}))
    assert "Moment by moment" not in fits


def test_labels_are_read_as_words() -> None:
    said = answer(prediction(label="mitral_stenosis", probabilities={"mitral_stenosis": 0.7}))
    assert '<p class="tt-label">mitral stenosis</p>' in said


def test_what_is_unsure_is_known_and_not_to_be_relied_on() -> None:
    assert unsure(prediction(asserted=False))
    assert unsure(prediction(asserted=None, confidence=0.5))
    assert not unsure(prediction(asserted=True, confidence=0.5))
    assert not unsure(prediction(asserted=False, unknown=True))


@pytest.mark.parametrize(("asserted", "hint"), [(True, False), (None, False), (False, True)])
def test_an_answer_below_what_its_label_needs_is_only_a_hint(
    asserted: bool | None, hint: bool
) -> None:
    assert ("A hint only" in answer(prediction(asserted=asserted))) is hint


def test_nothing_is_almost_certain_and_a_hint_only_at_once() -> None:
    said = answer(prediction(confidence=0.97, asserted=False))
    assert "Almost certain" not in said
    assert "Probably: <b>97 %</b>" in said
    assert "more than one in five" in said
    assert "Almost certain: <b>97 %</b>" in answer(prediction(confidence=0.97, asserted=True))
    assert "No more than a guess" in answer(prediction(confidence=0.4, asserted=False))


def test_what_a_person_should_know_of_the_clip_is_said() -> None:
    said = answer(prediction(clip={"container": "WAV", "warnings": ["the file is cut off"]}))
    assert "The file is cut off." in said
