"""head.py and teach.py: corrections are learnt, the rest is not forgotten."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from scipy.special import log_softmax

from data.datasets.dataset import LabelledClip
from data.domains.domain import Domain, load_domains
from data.domains.sections import TeachSpec
from data.errors import Conflict
from data.media.prepare import prepare
from models.bundle import PRETRAINED, load_bundle
from models.card import BACKBONE, EXAM
from models.runtime import OnnxModel
from models.tensors import Head
from support.inputs.sounds import tone
from support.tiny import tiny_bundle
from training.assess.examine import from_embeddings, remembered_answers
from training.screening.serving_champion import ChampionBundle, must_share_labels
from training.screening.uploads import Uploads
from training.teaching.head import (
    LabelledEmbeddings,
    balanced_weights,
    chosen_fit,
    correction_weights,
    effective_counts,
)
from training.teaching.teach import teach

SPEC = TeachSpec(correction_weight=8, prior_strength=0.00001)
NOTHING = LabelledEmbeddings(np.zeros((0, 8), np.float32), np.zeros(0, np.int64))


@pytest.fixture
def domain() -> Domain:
    return load_domains(names=("faults",))["faults"]


@pytest.fixture
def champion(domain: Domain, tmp_path: Path) -> ChampionBundle:
    return ChampionBundle(tiny_bundle(tmp_path / "champion", domain), "1")


def memory(clips: int = 90) -> tuple[Head, LabelledEmbeddings]:
    """Three labels around three corners, and a head that tells them apart."""
    rng = np.random.default_rng(0)
    labels = np.arange(clips) % 3
    corners = np.eye(3, 8, dtype=np.float32) * 3
    values = corners[labels] + rng.normal(0, 0.4, (clips, 8)).astype(np.float32)
    return Head(corners, np.zeros(3, np.float32)), LabelledEmbeddings(values, labels)


def test_without_corrections_the_champions_head_is_the_best_head() -> None:
    head, remembered = memory()
    taught = chosen_fit(head, remembered, NOTHING, SPEC, 0.1).head
    assert np.allclose(taught.weight, head.weight, atol=1e-4)


def test_one_correction_is_learnt_and_the_remembered_clips_are_answered_as_before() -> None:
    head, remembered = memory()
    odd = np.array([[2.0, 0.5, 0, 1.5, 0, 0, 0, 0]], np.float32)
    assert head.logits(odd).argmax() == 0
    taught = chosen_fit(head, remembered, LabelledEmbeddings(odd, np.array([2])), SPEC, 0.1).head
    assert taught.logits(odd).argmax() == 2
    same = taught.logits(remembered.values).argmax(1) == head.logits(remembered.values).argmax(1)
    assert same.mean() > 0.97


def test_teaching_again_and_again_ends_where_teaching_at_once_does() -> None:
    """From the anchor each time: a hundred teaches cannot drift."""
    head, remembered = memory()
    rng = np.random.default_rng(3)
    labels = np.arange(12) % 3
    values = np.eye(3, 8)[labels] * 3 + rng.normal(0, 0.8, (12, 8))
    lesson = LabelledEmbeddings(values.astype(np.float32), labels)
    for clips in range(1, 13):
        taught = chosen_fit(head, remembered, lesson.only(np.arange(12) < clips), SPEC, 0.1).head
    at_once = chosen_fit(head, remembered, lesson, SPEC, 0.1).head
    assert np.allclose(taught.weight, at_once.weight, atol=1e-4)


def test_the_pull_is_chosen_by_corrections_that_were_left_out_and_told() -> None:
    head, remembered = memory()
    rng = np.random.default_rng(4)
    labels = np.arange(9) % 3
    moved = np.eye(3, 8)[labels] * 2 + np.eye(8)[5] * 2  # another microphone, alike for all
    lesson = LabelledEmbeddings((moved + rng.normal(0, 0.2, (9, 8))).astype(np.float32), labels)
    fitted = chosen_fit(head, remembered, lesson, SPEC, 0.1)
    assert fitted.pull == min(fitted.unseen_loss, key=lambda pull: fitted.unseen_loss[pull])
    one = chosen_fit(head, remembered, lesson.only(np.arange(9) < 1), SPEC, 0.1)
    assert (one.pull, one.unseen_loss) == (1.0, {})


def test_a_large_group_counts_as_fewer_clips_and_copies_as_one() -> None:
    values, labels = np.zeros((29, 8), np.float32), np.zeros(29, np.int64)
    one_sitting = LabelledEmbeddings(values, labels, np.r_[np.zeros(25, np.int64), 1, 2, 3, 3])
    assert effective_counts(one_sitting)[:25].sum() == pytest.approx(10)
    assert effective_counts(one_sitting)[25:].tolist() == [1, 1, 1, 1]
    copies = LabelledEmbeddings(values, labels, counts=np.full(29, 1 / 29))
    assert effective_counts(copies).sum() == pytest.approx(1)


def test_a_session_of_hundreds_counts_for_no_more_than_one_of_25() -> None:
    values, labels = np.zeros((401, 8), np.float32), np.zeros(401, np.int64)
    session = LabelledEmbeddings(values, labels, np.r_[np.zeros(400, np.int64), 1])
    assert effective_counts(session)[:400].sum() == pytest.approx(10)
    assert effective_counts(session)[400] == 1


def test_no_sender_counts_for_more_than_half_of_all() -> None:
    values, labels = np.zeros((30, 8), np.float32), np.zeros(30, np.int64)
    senders = np.r_[np.zeros(24, np.int64), np.full(6, 1)]
    weights = effective_counts(LabelledEmbeddings(values, labels, np.arange(30), senders))
    assert weights[:24].sum() == pytest.approx(15)
    assert weights[24:].tolist() == [1] * 6


def test_many_corrections_count_as_a_quarter_of_what_is_remembered_at_most() -> None:
    head, remembered = memory()
    rng = np.random.default_rng(1)
    wrong = LabelledEmbeddings(
        rng.normal(0, 1, (900, 8)).astype(np.float32), rng.integers(0, 3, 900)
    )
    taught = chosen_fit(head, remembered, wrong, SPEC, 0.1).head
    right = taught.logits(remembered.values).argmax(1) == remembered.labels
    assert right.mean() > 0.9
    weights = correction_weights(wrong, len(remembered.labels), SPEC)
    assert weights.sum() == pytest.approx(len(remembered.labels) / 4)


def test_every_label_weighs_the_same_whatever_its_number_of_clips() -> None:
    labels = np.array([0] * 30 + [1] * 3)
    weights = balanced_weights(labels, 4)
    assert weights[:30].sum() == pytest.approx(weights[30:].sum())
    assert weights.mean() == pytest.approx(1)


def upload(name: str, label: str) -> LabelledClip:
    digest = hashlib.sha256(name.encode()).hexdigest()
    return LabelledClip(digest, label, digest, f"upload:{label}", None)


def uploads(*pairs: tuple[LabelledClip, np.ndarray]) -> Uploads:
    """As `screen` finds them: of a recording there is one row."""
    labels = load_domains(names=("faults",))["faults"].label_index
    return Uploads(
        clips=tuple(clip for clip, _ in pairs),
        values=np.stack([value for _, value in pairs]).reshape(len(pairs), 1, -1),
        labels=np.array([[labels(clip.label)] for clip, _ in pairs]),
        refused=(),
    )


def between(champion: ChampionBundle, first: int, second: int) -> np.ndarray:
    """An embedding the champion takes for `first`, with much of `second` in it."""
    values, labels = champion.memory.values, champion.memory.labels
    return np.asarray(
        0.6 * values[labels == first].mean(0) + 0.4 * values[labels == second].mean(0), np.float32
    )


def test_teaching_corrects_the_clip_and_keeps_the_exam(
    champion: ChampionBundle, domain: Domain, tmp_path: Path
) -> None:
    value = between(champion, 0, 2)
    clip = upload("odd pump", domain.labels[2])
    assert champion.bundle.head().logits(value).argmax() == 0
    taught = teach(champion, uploads((clip, value)), domain, "s" * 64, tmp_path / "taught")
    label, confidence = remembered_answers(taught, [clip.sha256])[clip.sha256]
    assert label == domain.labels[2]
    assert 0 < confidence <= 1
    before, after = from_embeddings(champion.bundle), from_embeddings(taught)
    assert after.macro_f1 >= before.macro_f1 - 0.02
    assert after == taught.card.metrics.exam


def test_teaching_takes_backbone_and_exam_over_unchanged(
    champion: ChampionBundle, domain: Domain, tmp_path: Path
) -> None:
    clip = upload("odd pump", domain.labels[2])
    taught = teach(
        champion, uploads((clip, between(champion, 0, 2))), domain, "s" * 64, tmp_path / "taught"
    )
    for name in (BACKBONE, EXAM):
        assert taught.card.files[name] == champion.bundle.card.files[name]
    assert taught.card.mode == "teach"
    assert taught.card.parent == champion.bundle.digest
    assert taught.card.temperature == champion.bundle.card.temperature


def test_a_relabelled_clip_takes_the_place_of_its_old_row_and_a_forgotten_one_leaves(
    champion: ChampionBundle, domain: Domain, tmp_path: Path
) -> None:
    one, two = upload("one", domain.labels[2]), upload("two", domain.labels[3])
    value = between(champion, 0, 2)
    first = teach(champion, uploads((one, value), (two, value)), domain, "s" * 64, tmp_path / "1")
    relabelled = upload("one", domain.labels[1])
    second = teach(
        ChampionBundle(first, "2"), uploads((relabelled, value)), domain, "t" * 64, tmp_path / "2"
    )
    rows = dict(zip(second.memory().clip_ids, second.memory().labels, strict=True))
    assert rows[one.sha256] == 1
    assert two.sha256 not in rows
    assert len(rows) == len(champion.memory.clip_ids) + 1


def test_a_correction_of_a_training_clip_replaces_what_the_data_set_said(
    champion: ChampionBundle, domain: Domain, tmp_path: Path
) -> None:
    known = champion.memory.clip_ids[0]
    corrected = LabelledClip(known, domain.labels[3], known, "upload", None)
    taught = teach(
        champion, uploads((corrected, champion.memory.values[0])), domain, "s" * 64, tmp_path / "t"
    )
    rows = dict(zip(taught.memory().clip_ids, taught.memory().labels, strict=True))
    assert rows[known] == 3
    assert len(rows) == len(champion.memory.clip_ids)


def test_teaching_refuses_other_labels_than_the_champions(
    champion: ChampionBundle, domain: Domain
) -> None:
    more = domain.model_copy(update={"labels": (*domain.labels, "squeak")})
    with pytest.raises(Conflict, match="retrain in full"):
        must_share_labels(champion, more)


def test_a_clip_that_sounds_like_many_others_of_another_label_is_not_learnt_at_their_cost() -> None:
    """A tone, to the shipped model of digits as much a "two" as any, that somebody calls "nine"."""
    bundle = load_bundle(PRETRAINED / "keywords")
    model, spec = OnnxModel(bundle), load_domains(names=("keywords",))["keywords"]
    raw = tone(hz=333, seconds=0.6, rate_hz=8000, seed=1)
    odd = model.embed(prepare(raw, spec).features)[0]
    remembered, nine = bundle.memory(), spec.label_index("nine")
    taught = chosen_fit(
        model.head,
        LabelledEmbeddings(remembered.values, remembered.labels),
        LabelledEmbeddings(odd, np.array([nine])),
        spec.teach,
        spec.training.label_smoothing,
    ).head
    before, after = (
        log_softmax(head.logits(odd)[0].astype(np.float64)) for head in (model.head, taught)
    )
    assert after[nine] > before[nine]
    exam = bundle.exam()
    right = [
        (head.logits(exam.values).argmax(1) == exam.labels).sum() for head in (model.head, taught)
    ]
    assert right[1] >= right[0] - 1
