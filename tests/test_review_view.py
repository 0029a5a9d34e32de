"""serve_app/ui/review_view.py: what an admin is told of kept clips, and may say of them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from serve_app.answers import DomainInfo, KeptClip
from serve_app.ui import review_view

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
        ("image", "no crack", ["no crack"]),
        ("image", "crack", ["no crack", "crack"]),
        ("image", None, ["no crack"]),
    ],
)
def test_of_a_photograph_nothing_is_offered_that_needs_a_new_mask(
    modality: str, label: str | None, choices: list[str]
) -> None:
    assert review_view.labels(domain(modality), kept(label)) == choices
