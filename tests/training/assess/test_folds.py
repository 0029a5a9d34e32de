"""Splits for comparison: each clip is asked about once, and what is unseen is unseen."""

from collections import Counter
from pathlib import Path

import pytest

from data.datasets.sources import Example
from data.domains.domain import Domain, checked, load_domains
from data.errors import InvalidParameter
from training.assess.folds import folds, leave_out


@pytest.fixture
def domain() -> Domain:
    return load_domains(names=("faults",))["faults"]


def row(number: int, label: str, group: str, speaker: str = "", split: str = "train") -> Example:
    columns = {"speaker": speaker}
    return Example(Path(f"{number}.wav"), label, group, split, "", columns=columns)  # type: ignore[arg-type]


@pytest.fixture
def rows(domain: Domain) -> list[Example]:
    """Eight clips a label, two of each recording, of four speakers."""
    return [
        row(8 * place + n, label, f"{label}{n // 2}", f"s{n // 2}", "test" if n > 5 else "train")
        for place, label in enumerate(domain.labels)
        for n in range(8)
    ]


@pytest.mark.parametrize("by", ["random", "group", "speaker"])
def test_every_clip_is_asked_about_once_and_not_learnt_then(
    domain: Domain, rows: list[Example], by: str
) -> None:
    parts = folds(domain, rows, by, 4)
    assert Counter(clip.path for fold in parts for clip in fold.exam) == Counter(
        clip.path for clip in rows
    )
    for fold in parts:
        assert {clip.path for clip in fold.train}.isdisjoint(clip.path for clip in fold.exam)
        assert len(fold.train) + len(fold.exam) == len(rows)
        assert {clip.label for clip in fold.exam} == set(domain.labels)


def test_a_recording_stays_together_except_at_random(domain: Domain, rows: list[Example]) -> None:
    for fold in folds(domain, rows, "group", 4):
        assert {clip.group for clip in fold.train}.isdisjoint(clip.group for clip in fold.exam)
    leaks = [
        {clip.group for clip in fold.train} & {clip.group for clip in fold.exam}
        for fold in folds(domain, rows, "random", 4)
    ]
    assert any(leaks), "a random split is made to show what it hides"


def test_a_recording_in_two_of_a_benchmarks_folds_is_not_learnt_for_its_exam(
    domain: Domain,
) -> None:
    rows = [row(1, "fluid", "a", "1"), row(2, "fluid", "a", "2"), row(3, "normal", "b", "2")]
    first, second = folds(domain, rows, "speaker", 0)
    assert [clip.group for clip in first.train] == ["b"]
    assert second.train == ()


def test_who_is_left_out_was_never_heard_and_test_rows_of_others_neither(
    domain: Domain, rows: list[Example]
) -> None:
    for fold in leave_out(domain, rows, "speaker"):
        assert {clip.columns["speaker"] for clip in fold.exam} == {fold.name}
        assert fold.name not in {clip.columns["speaker"] for clip in fold.train}
        assert {clip.split for clip in fold.train} <= {"train"}


def test_a_label_left_out_is_a_stranger(domain: Domain, rows: list[Example]) -> None:
    for fold in leave_out(domain, rows, "label"):
        assert fold.domain.labels == tuple(x for x in domain.labels if x != fold.name)
        assert {clip.label for clip in fold.train} == set(fold.domain.labels)
        assert {clip.label for clip in fold.strangers} == {fold.name}
        assert {clip.split for clip in fold.exam} == {"test"}


def test_a_column_that_is_not_there_is_said(domain: Domain, rows: list[Example]) -> None:
    with pytest.raises(InvalidParameter, match=r"'fold'.*group, random, speaker"):
        folds(domain, rows, "fold", 4)


def test_a_domain_without_its_rest_label_is_still_one(domain: Domain, rows: list[Example]) -> None:
    for fold in leave_out(domain, rows, "label"):
        checked(fold.domain.model_dump(), f"{fold.name}.yaml")
