"""A kept clip as the service tells of it is one that the client can read, flags and all."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from data.domains.domain import of_sounds
from data.store.clips.clip_rows import Clip
from data.store.review.feedback import Feedback
from data.store.review.flags import Flag
from models.bundle import PRETRAINED
from serve_app.client.answers import KeptClip
from serve_app.http.answers.answer_bodies import (
    NOT_YET_LEARNT,
    json_fields,
    kept_clip,
    prediction,
    receipt,
)
from serve_app.replica.champion import load_served
from serve_app.replica.scoring import Item, ScoredClip, answer_batch
from support.inputs.sounds import tone

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


@pytest.mark.parametrize(
    ("domain", "seconds", "first_s", "last_s", "step_s"),
    [
        ("keywords", 1.28, 0.34, 0.82, 0.08),  # its frames hear 0.76 s each
        ("keywords", 0.5, 0.0, 0.43, 0.08),  # which begin before a short clip
        ("faults", 5.0, 0.0, 4.84, 0.15625),
    ],
)
def test_evidence_is_told_for_when_it_was_heard(
    domain: str, seconds: float, first_s: float, last_s: float, step_s: float
) -> None:
    served = load_served(PRETRAINED / domain, "1")
    raw = tone(300, seconds=seconds, rate_hz=of_sounds(served.domain).input.sample_rate_hz)
    (found,) = answer_batch(served, [Item(raw, 0.0, float("inf"))])
    assert isinstance(found, ScoredClip)
    evidence = prediction(found, "r", evidence=True)["evidence"]
    assert evidence["step_s"] == pytest.approx(step_s, abs=1e-3)
    assert evidence["start_s"][0] == pytest.approx(first_s, abs=1e-3)
    assert evidence["start_s"][-1] == pytest.approx(last_s, abs=2e-2)
