"""influence.py and approval.py: wrong corrections are told from right ones by what they cost."""

import numpy as np
import pytest
from numpy.typing import NDArray

from data.domains.sections import TeachSpec
from models.bundle import PRETRAINED, load_bundle
from models.tensors import Embeddings, Head
from training.assess.approval import TaughtHead, approve
from training.assess.gate import Verdict
from training.teaching.head import LabelledEmbeddings, chosen_fit, effective_counts, solve
from training.teaching.influence import RefusedFit, influences

SPEC = TeachSpec(correction_weight=8, prior_strength=0.001)
SMOOTHING = 0.1


@pytest.fixture(scope="module")
def shipped() -> tuple[Head, Embeddings, Embeddings]:
    bundle = load_bundle(PRETRAINED / "faults")
    return bundle.head(), bundle.memory(), bundle.exam()


def lesson(
    memory: Embeddings, wrong: int, right: int
) -> tuple[LabelledEmbeddings, NDArray[np.bool_]]:
    """Clips near remembered ones, the first of them called by the next label."""
    rng = np.random.default_rng(2)
    places = rng.permutation(len(memory.labels))[: wrong + right]
    values = memory.values[places] + rng.normal(0, 0.3, (len(places), memory.values.shape[1]))
    labels = memory.labels[places].copy()
    labels[:wrong] = (labels[:wrong] + 1) % 4
    is_wrong = np.arange(len(places)) < wrong
    return LabelledEmbeddings(values.astype(np.float32), labels), is_wrong


def verdict(
    shipped: tuple[Head, Embeddings, Embeddings], corrections: LabelledEmbeddings
) -> Verdict:
    anchor, memory, exam = shipped
    card = load_bundle(PRETRAINED / "faults").card
    kept = LabelledEmbeddings(memory.values, memory.labels)
    head = chosen_fit(anchor, kept, corrections, SPEC, SMOOTHING).head
    learnt = float(effective_counts(corrections).sum())
    return approve(TaughtHead(head, anchor, anchor, memory, exam, card, learnt, learnt, None))


def test_right_corrections_are_approved(shipped: tuple[Head, Embeddings, Embeddings]) -> None:
    corrections, _ = lesson(shipped[1], wrong=0, right=16)
    assert verdict(shipped, corrections).promoted


def test_a_dozen_wrong_ones_are_refused_for_what_they_cost(
    shipped: tuple[Head, Embeddings, Embeddings],
) -> None:
    corrections, _ = lesson(shipped[1], wrong=12, right=0)
    found = verdict(shipped, corrections)
    assert not found.promoted
    assert any(reason.startswith("it forgets: the loss on") for reason in found.reasons)


def test_most_of_the_wrong_ones_among_right_ones_are_found_at_once(
    shipped: tuple[Head, Embeddings, Embeddings],
) -> None:
    anchor, memory, _ = shipped
    corrections, wrong = lesson(memory, wrong=6, right=14)
    kept = LabelledEmbeddings(memory.values, memory.labels)
    new = np.ones(20, bool)
    harm = influences(RefusedFit(anchor, kept, corrections, new, SPEC, SMOOTHING, pull=1.0))
    assert (harm > 0)[wrong].sum() >= 5  # what is left shows once these are gone
    assert (harm > 0)[~wrong].sum() <= 1


LABELS, SIZE, CLIPS = 4, 32, 1000


def many(kind: str, wrong: int) -> tuple[RefusedFit, NDArray[np.bool_]]:
    """A thousand corrections by another microphone, of ten senders in sessions of some four clips,
    and which of them have a wrong label: all of one sender's, some of one label, or any."""
    rng = np.random.default_rng([wrong, *map(ord, kind)])
    centres = rng.normal(0, 0.7, (LABELS, SIZE))
    remembered = np.arange(350) % LABELS
    heard = centres[remembered] + rng.normal(0, 1, (350, SIZE))
    nothing = Head(np.zeros((LABELS, SIZE), np.float32), np.zeros(LABELS, np.float32))
    memory = LabelledEmbeddings(heard.astype(np.float32), remembered)
    no_memory = memory.only(np.zeros(350, bool))
    anchor = solve(nothing, no_memory, memory, SPEC, SMOOTHING, pull=1.0)
    right = rng.integers(0, LABELS, CLIPS)
    values = centres[right] + rng.normal(0, 1, (CLIPS, SIZE)) + rng.normal(0, 0.5, SIZE)
    senders = rng.integers(0, 10, CLIPS)
    places = {
        "one sender": np.argsort(senders, kind="stable"),
        "one label": np.flatnonzero(right == 0),
        "any": rng.permutation(CLIPS),
    }[kind][:wrong]
    labels, is_wrong = right.copy(), np.isin(np.arange(CLIPS), places)
    labels[places] = (right[places] + rng.integers(1, LABELS, len(places))) % LABELS
    if kind == "one label":
        labels[places] = 1
    if kind == "one sender":
        senders[places] = 10
    groups = np.unique(rng.integers(0, CLIPS // 40, CLIPS) + CLIPS * senders, return_inverse=True)
    corrections = LabelledEmbeddings(values.astype(np.float32), labels, groups[1], senders)
    new = np.ones(CLIPS, bool)
    return RefusedFit(anchor, memory, corrections, new, SPEC, SMOOTHING, 1.0), is_wrong


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [("one sender", 200), ("one sender", 400), ("one label", 150), ("any", 200), ("any", 40)],
)
def test_many_wrong_ones_among_a_thousand_are_found_at_once(kind: str, wrong: int) -> None:
    refused, is_wrong = many(kind, wrong)
    harmful = influences(refused) > 0
    assert (harmful & is_wrong).sum() >= 0.7 * wrong
    assert (harmful & ~is_wrong).sum() <= 0.02 * CLIPS


def test_where_none_is_wrong_none_is_blamed_for_being_one_of_many() -> None:
    refused, _ = many("any", 0)
    assert not influences(refused).any()
