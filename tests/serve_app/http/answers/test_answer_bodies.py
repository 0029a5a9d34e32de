"""A kept clip as the service tells of it is one that the client can read, flags and all."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from data.store.clips.clip_rows import Clip
from data.store.review.feedback import Feedback
from data.store.review.flags import Flag
from serve_app.client.answers import KeptClip
from serve_app.http.answers.answer_bodies import NOT_YET_LEARNT, json_fields, kept_clip, receipt

SHA256 = "a" * 64
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_what_checks_say_reaches_the_client() -> None:
    clip = Clip("faults", SHA256, None, None, "quarantined", "", "ann", "upload", 9, 0.5, 8000, NOW)
    flag = Flag(SHA256, "silent", "there is nothing to hear", 1.0, NOW)
    read = KeptClip.model_validate(json_fields(kept_clip(clip, [flag])))
    assert (read.clip, read.label, read.state, read.who) == (SHA256, None, "quarantined", "ann")
    assert [(one.kind, one.reason) for one in read.flags] == [(flag.kind, flag.reason)]


@pytest.mark.parametrize(
    ("answered", "note"), [(None, ""), ("fluid", ""), ("normal", NOT_YET_LEARNT)]
)
def test_a_receipt_says_when_its_correction_was_heard_and_not_learnt(
    answered: str | None, note: str
) -> None:
    said = Feedback("r", "faults", SHA256, "normal", 0.9, "fluid", "1", "accepted", "", "ann", NOW)
    said = replace(said, learnt_version="2", after_label=answered)
    said = replace(said, after_confidence=0.8 if answered else None)
    assert receipt(said).note == note
