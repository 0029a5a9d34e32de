"""Calibration from what models of folds said, and the figures that a card leads with."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.datasets.dataset import LabelledClip
from data.domains.domain import load_domains
from data.errors import BundleError
from models.bundle import Bundle, load_bundle, rewrite_bundle
from models.card import OUT_OF_FOLD
from models.tensors import FoldAnswers, fold_answer_bytes
from support.tiny import tiny_bundle, tiny_clips, tiny_head
from training.assess.calibration.calibrate import calibrate, validation
from training.assess.calibration.out_of_fold import FoldCalibration, cross_fitted, figures_of
from training.assess.calibration.reviewed_thresholds import Threshold, by_reviews
from training.job.build_bundle import inherited

DOMAIN = load_domains(names=("faults",))["faults"]
CLASSES = len(DOMAIN.labels)


def answers(seed: int = 0, clips: int = 400, right: float = 0.8, sure: float = 4.0) -> FoldAnswers:
    """Two clips a group; logits say `sure` of an answer that is right as often as `right`."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(rng.integers(0, CLASSES, clips // 2), 2)
    said = np.where(rng.random(clips) < right, labels, (labels + 1) % CLASSES)
    logits = rng.normal(0, 0.3, (clips, CLASSES)).astype(np.float32)
    logits[np.arange(clips), said] += np.float32(sure)
    groups = np.arange(clips) // 2
    own = rng.uniform(0.8, 1.2, clips).astype(np.float32)
    ids = tuple(f"{clip:064x}" for clip in range(clips))
    return FoldAnswers(logits, labels, groups, groups % 5, own, own * 2, ids)


def calibrated(found: FoldAnswers, times: float = 1) -> dict[str, Any]:
    """Of a network whose embeddings are so many times as large."""
    memory = tiny_clips(DOMAIN, "memory")
    memory = replace(memory, values=memory.values * np.float32(times))
    held = np.arange(len(memory.clip_ids)) % 3 == 0
    none = np.zeros((0, memory.values.shape[1]), np.float32)
    held_out = validation(DOMAIN, tiny_head(DOMAIN), memory, held, memory.clip_ids, none)
    return calibrate(DOMAIN, held_out, found)


def test_models_that_are_too_sure_of_themselves_are_cooled_by_what_folds_said() -> None:
    cool, hot = (calibrated(answers(sure=sure))["temperature"] for sure in (4, 8))
    assert hot > 1.5 * cool


def test_limits_are_of_this_networks_scale() -> None:
    small, large = (
        list(calibrated(answers(), times)["novelty"]["limits"].values()) for times in (1, 3)
    )
    assert large == pytest.approx([3 * limit for limit in small], rel=1e-3)


def test_a_cards_figures_hold_on_answers_they_were_not_fitted_on() -> None:
    found = figures_of(FoldCalibration(answers(), "group", None), DOMAIN)
    assert (found.clips, found.groups, found.folds) == (400, 200, 5)
    assert found.accuracy.low < 0.8 < found.accuracy.high
    assert found.calibration_error < found.chance_error + 0.05
    assert found.unknown.value == pytest.approx(0.05, abs=0.03)
    assert found.asserted
    assert 0 <= found.asserted.value <= 1


def test_a_fold_has_no_say_in_its_own_limits() -> None:
    told = answers()
    here = told.folds == 0
    wild = replace(told, logits=np.where(here[:, np.newaxis], -told.logits, told.logits))
    confidence, _, unknown = cross_fitted(told, DOMAIN)
    far = replace(wild, own=np.where(here, np.float32(9), told.own))
    _, asserted_now, unknown_now = cross_fitted(far, DOMAIN)
    assert unknown_now[here].all()
    assert not asserted_now[here].any()
    assert unknown.mean() < 0.1
    assert confidence.min() > 0


def test_what_speakers_say_is_drawn_whole() -> None:
    told = answers()
    by_group, by_speaker = (
        figures_of(FoldCalibration(told, by, None), DOMAIN) for by in ("group", "speaker")
    )
    assert (by_group.groups, by_speaker.groups) == (200, 5)
    assert by_speaker.accuracy.value == by_group.accuracy.value


def carrying(folder: Path, bundle: Bundle, told: FoldAnswers) -> Bundle:
    figures = figures_of(FoldCalibration(told, "group", None), DOMAIN)
    metrics = bundle.card.metrics.model_copy(update={"out_of_fold": figures})
    return rewrite_bundle(
        bundle,
        folder,
        fields={"metrics": metrics.model_dump()},
        files={OUT_OF_FOLD: fold_answer_bytes(told)},
    )


def test_a_bundle_carries_them_and_refuses_what_does_not_fit(tmp_path: Path) -> None:
    bundle, told = tiny_bundle(tmp_path / "b", DOMAIN), answers(clips=20)
    assert bundle.fold_answers() is None
    kept = carrying(tmp_path / "c", bundle, told).fold_answers()
    assert kept is not None
    assert kept.clip_ids == told.clip_ids
    np.testing.assert_allclose(kept.own, told.own, rtol=1e-6)
    for wrong, words in (
        (replace(told, labels=told.labels[:3]), "same clips"),
        (replace(told, logits=told.logits[:, :2]), "shape"),
        (replace(told, labels=told.labels + 9), "label ids run"),
    ):
        files = {OUT_OF_FOLD: fold_answer_bytes(wrong)}
        with pytest.raises(BundleError, match=words):
            rewrite_bundle(kept_bundle := load_bundle(tmp_path / "c"), tmp_path / "d", files=files)
        assert kept_bundle.fold_answers() is not None
    with pytest.raises(BundleError, match="go together"):
        rewrite_bundle(bundle, tmp_path / "d", files={OUT_OF_FOLD: fold_answer_bytes(told)})


def test_the_next_training_by_the_same_recipe_on_these_clips_rests_on_them_too(
    tmp_path: Path,
) -> None:
    scratch = DOMAIN.model_copy(
        update={"training": DOMAIN.training.model_copy(update={"start_from": None})}
    )
    told = answers(clips=20)
    champion = carrying(tmp_path / "c", tiny_bundle(tmp_path / "b", scratch), told)
    clips = [
        LabelledClip(clip, DOMAIN.labels[label], clip, "toy", None)
        for clip, label in zip(told.clip_ids, told.labels, strict=True)
    ]
    found = inherited([champion], scratch, clips)
    assert found
    assert len(found.answers.labels) == 20
    corrected = [replace(clips[0], label="other"), *clips[1:]]
    found = inherited([champion], scratch, corrected)
    assert found
    assert len(found.answers.labels) == 19
    longer = scratch.model_copy(
        update={"training": scratch.training.model_copy(update={"epochs": 3})}
    )
    silent = scratch.model_copy(update={"other_sounds": ()})
    new = [replace(clip, sha256="e" * 64) for clip in clips]
    assert inherited([], scratch, clips) is None
    assert inherited([champion], scratch, [*clips, *new, clips[0]]) is None, "mostly other clips"
    for other, why in ((DOMAIN, "starts from a backbone"), (longer, "recipe"), (silent, "bank")):
        assert inherited([champion], other, clips) is None, why
    plain = tiny_bundle(tmp_path / "p", scratch)
    assert inherited([plain, champion], scratch, clips), "the champion is older than they are"


def test_a_recording_in_many_clips_is_one_recording_to_a_stranger() -> None:
    told = answers(clips=100)
    right = told.logits.argmax(axis=1) == told.labels
    once = replace(told, groups=np.where(right, 0, np.arange(100)))
    found = figures_of(FoldCalibration(once, "group", None), DOMAIN)
    wrong = int((~right).sum())
    assert found.accuracy.value == pytest.approx(right.mean())
    assert found.each_group_once.accuracy == pytest.approx(1 / (1 + wrong))


def test_reviews_that_set_limits_take_back_what_was_said_of_the_old_ones(tmp_path: Path) -> None:
    bundle = carrying(tmp_path / "c", tiny_bundle(tmp_path / "b", DOMAIN), answers(clips=20))
    limits = [Threshold(label, 0.5, 0.9, 30, 29) for label in DOMAIN.labels]
    told = by_reviews(bundle, limits, 0.9, tmp_path / "r").card.metrics.out_of_fold
    assert told
    assert (told.asserted, told.asserted_right) == (None, None)
    assert (
        told.macro_f1
        == figures_of(FoldCalibration(answers(clips=20), "group", None), DOMAIN).macro_f1
    )
