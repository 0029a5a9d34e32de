"""teach_view.py: what an admin is told of kept clips, and may say of them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from serve_app.client.answers import DomainInfo, KeptClip
from serve_app.client.calls.teaching import LISTED
from serve_app.ui.places.teach import teach_view
from support.predictions import prediction

LABELS = {"audio": ("fluid", "normal"), "image": ("no crack", "crack")}


def domain(modality: str) -> DomainInfo:
    return DomainInfo.model_validate(
        {
            "name": "any",
            "title": "Any",
            "description": "",
            "labels": LABELS[modality],
            "modality": modality,
            "limits": {"max_bytes": 1},
        }
    )


def kept(label: str | None, **fields: Any) -> KeptClip:
    row = {"clip": "a" * 64, "label": label, "state": "quarantined", "created": datetime.now(UTC)}
    return KeptClip.model_validate({**row, **fields})


@pytest.mark.parametrize(
    ("modality", "label", "choices"),
    [
        ("audio", "fluid", ["fluid", "normal"]),
        ("audio", None, ["fluid", "normal"]),
        ("image", "no crack", ["no crack"]),
        ("image", "crack", ["no crack", "crack"]),
        ("image", None, ["no crack"]),
    ],
)
def test_of_a_photograph_nothing_is_offered_that_needs_a_new_mask(
    modality: str, label: str | None, choices: list[str]
) -> None:
    assert [words for words, _ in teach_view.labels(domain(modality), kept(label))] == choices


def correction(label: str, mask: str | None = None) -> dict[str, Any]:
    return {
        "receipt": f"r-{label}-{mask}",
        "state": "quarantined",
        "domain": "any",
        "clip": "a" * 64,
        "label": label,
        "mask": mask,
        "predicted": "normal",
        "confidence": 0.5,
        "created": datetime.now(UTC),
        "before": {"label": "normal", "confidence": 0.5},
    }


def test_another_mask_is_offered_as_the_correction_that_has_it() -> None:
    waiting = [correction("crack", "b"), correction("crack", "c"), correction("no crack")]
    clip = kept("crack", mask="b", waiting=waiting)
    assert [said.mask for said in teach_view.others(clip)] == ["c", None]
    assert teach_view.labels(domain("image"), clip) == [
        ("no crack", "no crack"),
        ("crack", "crack"),
        ("crack, as correction 1 marks it", "r-crack-c"),
    ]


@pytest.mark.parametrize(
    ("answered", "unknown", "words"),
    [("fluid", False, "disagrees"), ("normal", False, ">agrees"), ("normal", True, "Unknown")],
)
def test_what_the_model_says_stands_beside_what_the_clip_was_sent_as(
    answered: str, unknown: bool, words: str
) -> None:
    found = prediction(label=answered, unknown=unknown)
    seen = teach_view.views(kept("normal"), found)
    assert "Sent as</span> <b>normal</b>" in seen
    assert answered in seen
    assert words in seen
    assert "cannot be had" in teach_view.views(kept("normal"), None)


def test_a_list_that_is_full_says_so() -> None:
    full = [kept("fluid")] * LISTED
    assert f"{LISTED} or more left, 2 done" in teach_view.queue("waiting", full, "", 2)
    assert "or more" not in teach_view.queue("waiting", full[1:], "", 2)
