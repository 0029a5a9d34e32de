"""predict_view.py: an answer that may not be relied on says so, and why."""

from typing import Any

import pytest

from serve_app.client.answers import Receipt
from serve_app.ui.tabs.predict_view import answer, life_line, thanks
from support.fakes.fake_clips import correction
from support.predictions import prediction


def test_an_unknown_clip_is_told_why_and_what_is_nearest() -> None:
    said = answer(prediction(unknown=True, unknown_reason="too quiet: -81 dBFS"))
    assert "This is too quiet: -81 dBFS." in said
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
    assert "more than one in five" in said
    assert "Almost certain: <b>97 %</b>" in answer(prediction(confidence=0.97, asserted=True))
    assert "No more than a guess" in answer(prediction(confidence=0.4, asserted=False))


def receipt(label: str, mask: bytes | None = None, **fields: Any) -> Receipt:
    said = correction("faults", "a" * 64, label, mask) | {"state": "accepted", **fields}
    return Receipt.model_validate(said)


def test_a_receipt_that_was_learnt_says_no_more_that_it_will_be() -> None:
    waits = "The next retrain learns from it"
    assert waits in life_line(receipt("fluid"))
    learnt = life_line(receipt("fluid", version="2"))
    assert "Learnt in version 2" in learnt
    assert waits not in learnt
    heard = life_line(receipt("fluid", version="2", note="heard, and not yet answered so"))
    assert "heard, and not yet answered so" in heard


def test_thanks_for_another_mask_do_not_call_it_another_label() -> None:
    assert "normal → fluid" in thanks(receipt("fluid"))
    assert "normal, with another mask" in thanks(receipt("normal", b"mask"))


def test_what_a_person_should_know_of_the_clip_is_said() -> None:
    said = answer(prediction(clip={"container": "WAV", "warnings": ["the file is cut off"]}))
    assert "The file is cut off." in said
