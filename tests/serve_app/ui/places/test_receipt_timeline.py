"""receipt_timeline.py: a receipt says what became of a correction, and no more."""

from typing import Any

from serve_app.client.answers import Receipt
from serve_app.ui.places.receipt_timeline import thanks, timeline
from support.fakes.fake_clips import correction


def receipt(label: str, mask: bytes | None = None, **fields: Any) -> Receipt:
    said = correction("faults", "a" * 64, label, mask) | {"state": "accepted", **fields}
    return Receipt.model_validate(said)


def test_a_receipt_that_was_learnt_says_no_more_that_it_will_be() -> None:
    waits = "The next retrain learns from it"
    assert waits in timeline(receipt("fluid"))
    learnt = timeline(receipt("fluid", version="2"))
    assert "Learnt in version 2" in learnt
    assert waits not in learnt
    heard = timeline(receipt("fluid", version="2", note="heard, and not yet answered so"))
    assert "heard, and not yet answered so" in heard


def test_thanks_for_another_mask_do_not_call_it_another_label() -> None:
    assert "normal → fluid" in thanks(receipt("fluid"))
    assert "normal, with another mask" in thanks(receipt("normal", b"mask"))
