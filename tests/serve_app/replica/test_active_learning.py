"""active_learning.py: the doubtful first, then what is unlike, and not all of one label."""

from datetime import UTC, datetime

import numpy as np

from data.store.kept_predictions import KeptPrediction
from serve_app.replica.active_learning import query_order

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def answer(number: int, label: str, sure: float, direction: tuple[float, float]) -> KeptPrediction:
    other = "b" if label == "a" else "a"
    return KeptPrediction(
        domain="faults",
        version="1",
        label=label,
        probabilities={label: sure, other: 1 - sure},
        unknown=False,
        why="sample",
        backbone="f" * 64,
        embedding=np.array(direction, np.float16).tobytes(),
        id=number,
        clip_sha256="0" * 64,
        has_clip=True,
        created_at=NOW,
        expires_at=NOW,
        receipt=None,
    )


def ids(*answers: KeptPrediction, most: int = 9, **labelled: int) -> list[int]:
    return [one.id for one in query_order(answers, labelled, most)]


def test_the_doubtful_come_first() -> None:
    sure, torn = answer(1, "a", 0.99, (1, 0)), answer(2, "a", 0.55, (0, 1))
    assert ids(sure, torn) == [2, 1]


def test_one_like_those_that_were_chosen_waits() -> None:
    first, twin = answer(1, "a", 0.55, (1, 0)), answer(2, "a", 0.56, (1, 0.01))
    unlike = answer(3, "a", 0.7, (0, 1))
    assert ids(first, twin, unlike) == [1, 3, 2]


def test_a_label_that_has_few_clips_needs_them_most() -> None:
    common, rare = answer(1, "a", 0.6, (1, 0)), answer(2, "b", 0.7, (0, 1))
    assert ids(common, rare) == [1, 2]
    assert ids(common, rare, a=99) == [2, 1]


def test_one_label_takes_no_more_than_its_share_while_there_are_others() -> None:
    crowd = [answer(n, "a", 0.6, (1, n / 10)) for n in range(6)]
    others = [answer(n, "b", 0.99, (n - 8, 1)) for n in (8, 9)]
    found = query_order([*crowd, *others], {}, 9)
    assert [one.label for one in found[:4]] == ["a", "b", "a", "b"]
    assert [one.label for one in found[4:]] == ["a"] * 4
    assert query_order([*crowd, *others], {}, 3) == found[:3]


def test_nothing_is_nothing() -> None:
    assert ids() == []
