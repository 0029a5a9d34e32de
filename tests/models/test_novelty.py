"""novelty.py: what is unlike anything remembered is called unknown, at a known price."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.domains.domain import load_domains
from data.errors import BundleError
from data.media.prepare import Prepared
from models.novelty import (
    MOST,
    NO_LABELS,
    Remembered,
    fit_limits,
    fit_nearest_other,
    thinned,
    typical,
    unseen_distances,
)
from models.runtime import OnnxModel
from support.tiny import tiny_bundle, tiny_clips

DOMAIN = load_domains(names=("faults",))["faults"]


def limits(far: float) -> dict[str, object]:
    return {"limits": dict.fromkeys(DOMAIN.labels, far), "false_alarms": 0.05, "clips": 40}


def test_the_distance_is_that_to_the_nearest_row_of_the_answered_label() -> None:
    rng = np.random.default_rng(0)
    values, labels = rng.normal(0, 5, (60, 16)).astype(np.float32), np.arange(60) % 3
    clip = rng.normal(0, 5, 16).astype(np.float32)
    remembered = Remembered(values, labels, 4)
    for label in range(3):
        right = np.linalg.norm(values[labels == label] - clip, axis=1).min()
        assert remembered.distance(clip, label) == pytest.approx(right, rel=1e-4)
        assert remembered.distance(values[label], label) == pytest.approx(0, abs=0.02)
    assert remembered.distance(clip, 3) == np.inf


def test_a_held_out_clip_is_measured_against_other_recordings_than_its_own() -> None:
    values = np.array([[0, 0], [0, 0], [3, 4], [9, 9]], np.float32)
    labels, held = np.array([0, 0, 0, 1]), np.array([True, True, False, False])
    far = unseen_distances(values, labels, ["one", "one", "two", "three"], held, labels)
    assert far.tolist() == [5, 5]


@pytest.mark.parametrize("false_alarm", [0.01, 0.05, 0.2])
def test_no_more_known_clips_lie_beyond_the_limits_than_allowed(false_alarm: float) -> None:
    rng = np.random.default_rng(1)
    answers = rng.integers(0, 4, 137)
    far = rng.gamma(9, 1 + answers)
    beyond = (far > fit_limits(far, answers, 5, false_alarm, np.ones(137))[answers]).mean()
    assert false_alarm - 0.02 <= beyond <= false_alarm


def test_a_rare_label_is_not_mostly_called_unknown_for_lying_wider_apart() -> None:
    rng = np.random.default_rng(2)
    answers = np.repeat([0, 1], [300, 12])
    far = rng.normal(1, 0.1, 312) * np.where(answers == 1, 3, 1)
    found = fit_limits(far, answers, 3, 0.05, np.ones(312))
    assert (far > found[answers])[answers == 1].mean() < 0.5
    assert found[0] < found[1]
    assert found[2] > 0  # a label that nobody was answered with


def test_one_recording_in_thirty_clips_is_one_witness() -> None:
    far = np.r_[np.linspace(0.8, 1.2, 100), np.full(30, 9.0)]
    answers = np.zeros(130, np.int64)
    weights = np.r_[np.ones(100), np.full(30, 1 / 30)]
    assert fit_limits(far, answers, 1, 0.05, weights)[0] < 1.3
    assert fit_limits(far, answers, 1, 0.05, np.ones(130))[0] >= 9
    assert typical(far, weights) == pytest.approx(1, abs=0.01)


def test_of_very_many_rows_those_that_people_taught_last_are_kept() -> None:
    kept = thinned(np.arange(10 * MOST))
    assert len(kept) == MOST == len(set(kept.tolist()))
    assert kept[0] == 0
    assert set(range(10 * MOST - 100, 10 * MOST)) <= set(kept.tolist())


def test_what_is_remembered_is_known_and_what_lies_far_from_it_is_not(tmp_path: Path) -> None:
    model = OnnxModel(tiny_bundle(tmp_path / "b", DOMAIN, novelty=limits(1.0)))
    known = tiny_clips(DOMAIN, "memory").values[:1]
    features = [np.zeros((1, *DOMAIN.window), np.float32)]
    for embedding, unknown in ((known, False), (known + 1, True)):
        (scores,) = model.score(features, embedding, embedding[:, np.newaxis])
        assert scores.unknown is unknown


def test_what_is_nearer_to_a_sound_without_a_label_is_unknown(tmp_path: Path) -> None:
    hiss = tiny_clips(DOMAIN, "memory").values[:1] + 3
    novelty = {**limits(99.0), "nearest_other": 0.5}
    model = OnnxModel(tiny_bundle(tmp_path / "b", DOMAIN, others=hiss, novelty=novelty))
    probabilities = np.full(len(DOMAIN.labels), 1 / len(DOMAIN.labels), np.float32)
    assert model.why_unknown(hiss[0], probabilities) == NO_LABELS
    assert model.why_unknown(hiss[0] - 3, probabilities) is None


def test_what_is_too_quiet_says_so_and_is_not_asserted(tmp_path: Path) -> None:
    quiet = DOMAIN.model_copy(
        update={"input": DOMAIN.input.model_copy(update={"quietest_dbfs": -70})}
    )
    model = OnnxModel(tiny_bundle(tmp_path / "b", quiet))
    features = np.zeros((1, *DOMAIN.window), np.float32)
    for level, reason in ((-69.0, None), (-81.2, "too quiet: -81 dBFS")):
        (scores,) = model.answer([Prepared(features, 1.0, 16000, "WAV", level_dbfs=level)])
        assert scores.unknown_reason == reason


def test_the_nearest_other_leaves_nearly_all_known_clips_known() -> None:
    own, others = np.ones(200), np.linspace(0.2, 2, 200)
    least = fit_nearest_other(own, others, 0.02)
    assert 0 < np.mean(others < least * own) <= 0.02
    assert fit_nearest_other(own, np.full(200, 3.0), 0.02) <= 1


def test_a_card_from_before_there_were_limits_goes_by_its_confidence(tmp_path: Path) -> None:
    features = [np.zeros((1, *DOMAIN.window), np.float32)]
    for threshold, unknown in ((0.0, False), (1.0, True)):
        folder = tmp_path / str(threshold)
        model = OnnxModel(tiny_bundle(folder, DOMAIN, unknown_threshold=threshold))
        (scores,) = model.predict(features)
        assert scores.unknown is unknown
        assert scores.asserted is None


def test_an_answer_is_asserted_as_soon_as_it_is_as_sure_as_its_label_needs(tmp_path: Path) -> None:
    features = [np.zeros((1, *DOMAIN.window), np.float32)]
    cases = ((0.1, 99.0, True), (1.1, 99.0, False), (None, 99.0, False), (0.1, 0.0, False))
    for place, (needed, far, asserted) in enumerate(cases):
        thresholds = dict.fromkeys(DOMAIN.labels, needed)
        folder = tmp_path / str(place)
        bundle = tiny_bundle(folder, DOMAIN, assert_at=thresholds, novelty=limits(far))
        model = OnnxModel(bundle)
        assert model.predict(features)[0].asserted is asserted


@pytest.mark.parametrize(
    "fields", [{"novelty": {**limits(1), "limits": {"x": 1}}}, {"assert_at": {"x": 1}}]
)
def test_limits_are_for_the_labels_there_are(tmp_path: Path, fields: dict[str, Any]) -> None:
    with pytest.raises(BundleError, match=next(iter(fields))):
        tiny_bundle(tmp_path / "b", DOMAIN, **fields)
