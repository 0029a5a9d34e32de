"""approval.py: what is asked of a taught head beside right answers, on figures made for it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.domains.domain import load_domains
from models.novelty import Known, Remembered, without_label
from models.tensors import Embeddings, Head
from support.tiny import tiny_bundle
from training.assess.approval import TaughtHead, approve

CLASSES, SIZE, CLIPS = 4, 6, 200


@pytest.fixture
def taught(tmp_path: Path) -> TaughtHead:
    """Clips around the corners of a space that the anchor tells apart; it is right of all."""
    domain = load_domains(names=("faults",))["faults"]
    card = tiny_bundle(tmp_path / "b", domain, assert_at=dict.fromkeys(domain.labels, 0.6)).card
    head = Head(4 * np.eye(CLASSES, SIZE, dtype=np.float32), np.zeros(CLASSES, np.float32))
    exam, memory = _clips("exam", 1), _clips("memory", 2)
    limits = (1.0,) * CLASSES
    nothing = without_label(np.zeros((0, SIZE), np.float32))
    known = Known(Remembered(memory.values, memory.labels, CLASSES), limits, nothing, 0.0)
    return TaughtHead(head, head, head, memory, exam, card, 8.0, 8.0, known)


def _clips(name: str, seed: int) -> Embeddings:
    labels = np.arange(CLIPS) % CLASSES
    noise = np.random.default_rng(seed).normal(0, 0.05, (CLIPS, SIZE))
    values = (np.eye(CLASSES, SIZE)[labels] + noise).astype(np.float32)
    return Embeddings(values, labels, tuple(f"{name}{place}" for place in range(CLIPS)))


def reasons(taught: TaughtHead) -> str:
    return " ".join(approve(taught).reasons)


def test_a_head_that_changed_nothing_is_approved(taught: TaughtHead) -> None:
    assert approve(taught).promoted


def test_confidence_that_no_longer_fits_the_exam_is_refused(taught: TaughtHead) -> None:
    """Every answer is as right as before."""
    unsure = replace(taught, head=Head(taught.head.weight / np.float32(8), taught.head.bias))
    assert "its confidence fits the exam worse" in reasons(unsure)
    assert not approve(unsure).promoted


def _with_wrong_labels(taught: TaughtHead, clips: int) -> TaughtHead:
    """Of so many exam clips, which are far from all others, the anchor is not sure, and the taught
    head is sure of what is wrong."""
    exam = taught.exam
    values, labels = exam.values.copy(), exam.labels.copy()
    values[:clips] = 0.0
    values[:clips, SIZE - 1] = 1.0
    labels[:clips] = 0
    weight = taught.head.weight.copy()
    weight[1, SIZE - 1] = 8.0
    exam = Embeddings(values, labels, exam.clip_ids)
    return replace(taught, head=Head(weight, taught.head.bias), exam=exam)


def test_wrong_answers_that_it_asserts_are_counted_unless_they_are_unknown(
    taught: TaughtHead,
) -> None:
    sure = _with_wrong_labels(taught, 20)
    assert "asserted and wrong" not in reasons(sure), "they are like nothing that is remembered"
    memory = sure.memory
    heard = np.append(memory.values, sure.exam.values[:1], axis=0)
    assert sure.known is not None
    known = replace(sure.known, remembered=Remembered(heard, np.append(memory.labels, 1), CLASSES))
    assert "20 of the exam's answers are asserted and wrong, 0 were before" in reasons(
        replace(sure, known=known)
    )
