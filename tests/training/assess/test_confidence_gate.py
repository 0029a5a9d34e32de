"""confidence_gate.py: a network that answers as rightly, but is trusted wrongly, is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.bundle import PRETRAINED, Bundle, load_bundle, rewrite_bundle
from training.assess.confidence_gate import confidence_objections
from training.assess.reliability import rises


@pytest.fixture(scope="module")
def champion() -> Bundle:
    return load_bundle(PRETRAINED / "faults")


def with_card(champion: Bundle, folder: Path, **fields: Any) -> Bundle:
    return rewrite_bundle(champion, folder / "bundle", fields=fields)


def objections(challenger: Bundle, champion: Bundle) -> str:
    return "; ".join(confidence_objections(challenger, champion, None))


def limits(champion: Bundle, times: float) -> dict[str, Any]:
    novelty = champion.card.novelty
    assert novelty is not None
    wider = {label: times * limit for label, limit in novelty.limits.items()}
    return {"novelty": novelty.model_dump() | {"limits": wider}}


def test_one_that_is_trusted_as_before_is_not_objected_to(champion: Bundle) -> None:
    assert objections(champion, champion) == ""
    assert confidence_objections(champion, None, None) == ()


def test_one_that_knows_less_of_the_exam_is_refused(champion: Bundle, tmp_path: Path) -> None:
    narrow = with_card(champion, tmp_path, **limits(champion, 0.5))
    assert "of the exam's 111 clips unknown, the champion" in objections(narrow, champion)


def test_one_that_asserts_whatever_it_answers_is_refused(champion: Bundle, tmp_path: Path) -> None:
    always = dict.fromkeys(champion.labels, 0.0)
    bold = with_card(champion, tmp_path, assert_at=always)
    found = objections(bold, champion)
    assert "exam answers that it asserts are wrong, of the champion's 76 it is 1" in found


def test_a_champion_that_never_said_what_it_asserts_can_be_replaced(
    champion: Bundle, tmp_path: Path
) -> None:
    before = with_card(champion, tmp_path, assert_at={}, novelty=None)
    assert objections(champion, before) == ""


def test_one_that_is_too_sure_of_itself_is_refused(champion: Bundle, tmp_path: Path) -> None:
    sure = with_card(champion, tmp_path, temperature=champion.card.temperature / 8)
    assert "its confidence fits the exam worse than the champion's" in objections(sure, champion)


def test_one_that_asserts_what_is_of_other_domains_is_refused(
    champion: Bundle, tmp_path: Path, datasets: Path
) -> None:
    always = dict.fromkeys(champion.labels, 0.0)
    everything = with_card(champion, tmp_path, assert_at=always, **limits(champion, 10.0))
    found = "; ".join(confidence_objections(everything, champion, datasets))
    assert "of 60 clips of hearts, which are of another domain, it asserts 60, the" in found
    assert "wildlife" not in found  # the champion asserts many: engines are machines there, too


def test_what_a_few_groups_say_by_chance_is_no_rise() -> None:
    before = np.zeros(100)
    after = before.copy()
    after[:8] = 1.0
    alone, together = np.arange(100), np.repeat(np.arange(13), 8)[:100]
    assert rises(after, before, alone, 0.05)
    assert not rises(after, before, alone, 0.1)
    assert not rises(after, before, together, 0.05)  # one recording's
    assert not rises(after, before, np.zeros(100, np.int64), 0.05)
