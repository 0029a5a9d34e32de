"""fresh_evidence.py: a bet on what was taught, settled by corrections before they are learnt."""

import numpy as np
import pytest

from models.tensors import Head
from training.teaching.fresh_evidence import FreshEvidence, added, read_evidence
from training.teaching.head import LabelledEmbeddings

SURE = Head(np.array([[8.0], [-8.0]], np.float32), np.zeros(2, np.float32))  # label 0 for 1.0
WRONG = Head(-SURE.weight, SURE.bias)


def corrections(groups: list[int]) -> LabelledEmbeddings:
    count = len(groups)
    return LabelledEmbeddings(
        np.ones((count, 1), np.float32), np.zeros(count, np.int64), np.array(groups)
    )


def test_a_head_that_is_right_where_the_anchor_is_wrong_wins_the_bets() -> None:
    found = added(FreshEvidence(), SURE, WRONG, corrections([0, 1, 2]))
    assert (found.clips, found.taught_right, found.anchor_right) == (3, 3, 0)
    assert found.worth == pytest.approx(1.5**3, rel=1e-3)


def test_a_group_is_one_bet_and_no_better_a_head_wins_nothing() -> None:
    assert added(FreshEvidence(), SURE, WRONG, corrections([5, 5, 5])).worth == pytest.approx(
        1.5, rel=1e-3
    )
    assert added(FreshEvidence(), SURE, SURE, corrections([0, 1])).worth == pytest.approx(1)


def test_what_was_told_before_goes_on_from_the_card() -> None:
    before = added(FreshEvidence(), WRONG, SURE, corrections([0]))
    kept = read_evidence({"fresh_evidence": vars(before)})
    after = added(kept, SURE, WRONG, corrections([1]))
    assert after.clips == 2
    assert after.worth == pytest.approx(0.5 * 1.5, rel=1e-3)
    assert read_evidence({}) == FreshEvidence()
