"""calibrate.py and recalibrate.py: confidence is earned on clips that nobody learnt."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from data.arrays import Floats
from data.datasets.dataset import LabelledClip
from data.domains.domain import Domain, load_domains
from models.bundle import PRETRAINED, Bundle, load_bundle
from models.calibration import fit_assertions
from models.metrics import calibration_error, chance_error
from models.runtime import OnnxModel
from models.tensors import Embeddings, Probe, exam_bytes, read_exam
from support.tiny import tiny_bundle, tiny_clips, tiny_head
from training.assess.calibration.calibrate import calibrate, validation
from training.assess.examine import from_embeddings
from training.assess.reliability import exam_intervals
from training.recalibrate import main, recalibrate
from training.screening.serving_champion import ChampionBundle
from training.screening.uploads import Uploads
from training.teaching.teach import teach

DOMAINS = load_domains()
HEARD = [name for name, domain in DOMAINS.items() if domain.task == "classify"]
SEEN = [name for name, domain in DOMAINS.items() if domain.task == "segment"]


def test_a_label_is_asserted_from_where_its_answers_are_right_often_enough() -> None:
    rng = np.random.default_rng(5)
    confidence = rng.uniform(0.5, 0.999, 4000)
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    right = rng.random(4000) < confidence**2  # too sure of itself
    low, _ = fit_assertions(probabilities, np.where(right, 0, 1))
    assert low == pytest.approx(0.8**0.5, abs=0.03)
    assert right[confidence >= low].mean() > 0.88


def test_a_label_with_few_answers_follows_the_calibrated_confidence() -> None:
    for answers in (0, 1, 3):
        sure = np.tile([0.9, 0.1], (answers, 1))
        for least in fit_assertions(sure, np.zeros(answers, np.int64)):
            assert 0.75 < least <= 0.8 + 1e-6


def test_a_label_that_is_often_wrong_has_to_be_surer() -> None:
    confidence = np.full(80, 0.9)
    wrong = np.stack([confidence, 1 - confidence], axis=1)
    right = wrong[:, ::-1]
    labels = np.r_[np.arange(80) % 2, np.ones(80, np.int64)]
    doubted, trusted = fit_assertions(np.concatenate([wrong, right]), labels)
    assert doubted > 0.9 > trusted


def calibrated(
    domain: Domain, memory: Embeddings, groups: Sequence[str] = (), *, every: int = 1
) -> dict[str, Any]:
    """What the card says when one in `every` remembered clips, from the first on, was held out;
    without `groups` each is a group of its own."""
    held = np.arange(len(memory.clip_ids)) % every == 0
    others = np.zeros((0, memory.values.shape[1]), np.float32)
    groups = groups or memory.clip_ids
    return calibrate(domain, validation(domain, tiny_head(domain), memory, held, groups, others))


@pytest.mark.parametrize("name", HEARD)
def test_a_card_gets_a_limit_and_a_confidence_for_each_label(name: str) -> None:
    domain = DOMAINS[name]
    memory = tiny_clips(domain, "memory")
    fields = calibrated(domain, memory, every=3)
    assert set(fields["novelty"]["limits"]) == set(fields["assert_at"]) == set(domain.labels)
    assert fields["novelty"]["false_alarms"] <= 0.05
    assert fields["novelty"]["clips"] == len(memory.clip_ids[::3])


def test_what_was_unknown_is_known_once_it_was_taught_and_the_limits_stay(tmp_path: Path) -> None:
    domain = DOMAINS["faults"]
    champion = ChampionBundle(load_bundle(PRETRAINED / "faults"), "1")
    odd = champion.memory.values[:1] + 3
    assert unknown(champion.bundle, odd)
    clip = LabelledClip("a" * 64, domain.labels[0], "a" * 64, "upload", None)
    sent = Uploads((clip,), odd[np.newaxis], np.array([[0]]), ())
    taught = teach(champion, sent, domain, "s" * 64, tmp_path / "taught")
    assert not unknown(taught, odd)
    assert taught.card.novelty == champion.bundle.card.novelty
    assert taught.card.assert_at == champion.bundle.card.assert_at
    assert taught.card.metrics.exam.reliability
    assert exam_intervals(taught)["macro_f1"].low < taught.card.metrics.exam.macro_f1


def unknown(bundle: Bundle, embedding: Floats) -> bool:
    model = OnnxModel(bundle)
    features = [np.zeros((1, *bundle.domain.window), np.float32)]
    return model.score(features, embedding, embedding[:, np.newaxis])[0].unknown


@pytest.mark.parametrize("name", SEEN)
def test_nothing_is_unknown_where_photographs_are_segmented(name: str) -> None:
    domain = DOMAINS[name]
    fields = calibrated(domain, tiny_clips(domain, "memory"), every=2)
    assert (fields["novelty"], fields["assert_at"]) == (None, {})


def test_of_an_honest_model_chance_explains_the_calibration_error() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 200)
    both = np.stack([confidence, 1 - confidence], axis=1)

    def error(groups: NDArray[np.int64]) -> float:
        """In the mean, of groups that are right or wrong together."""
        chances = (rng.random(200)[groups] > confidence for _ in range(200))
        return float(np.mean([calibration_error(both, one.astype(np.int64)) for one in chances]))

    alone, together = np.arange(200), np.arange(200) // 20
    assert chance_error(confidence, alone) == pytest.approx(error(alone), rel=0.1)
    assert chance_error(confidence, together) == pytest.approx(error(together), rel=0.1)
    assert chance_error(confidence, together) > 1.5 * chance_error(confidence, alone)


def test_near_copies_are_one_witness_of_how_sure_a_model_may_be() -> None:
    domain = DOMAINS["faults"]
    memory = tiny_clips(domain, "memory")
    once = calibrated(domain, memory)["temperature"]
    times = np.where(np.arange(len(memory.clip_ids)) == 0, 30, 1)
    copied = Embeddings(
        np.repeat(memory.values, times, axis=0),
        np.repeat(memory.labels, times),
        tuple(map(str, range(times.sum()))),
    )
    groups = np.repeat(memory.clip_ids, times).tolist()
    often = calibrated(domain, copied, groups)["temperature"]
    # Not the same: labels are trusted the more, the more of them there are.
    assert often == pytest.approx(once, rel=0.3)


# Not of cracks, whose network has learnt rows that are left out now.
@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.deploy if n == "wildlife" else ()) for n in HEARD],
)
def test_a_shipped_card_is_what_its_bundle_gives_when_calibrated_anew(
    name: str, tmp_path: Path, datasets: Path
) -> None:
    folder = shutil.copytree(PRETRAINED / name, tmp_path / name)
    old = load_bundle(folder)
    new = recalibrate(old, datasets)
    assert new.card.temperature == pytest.approx(old.card.temperature, rel=1e-4)
    assert new.card.assert_at == pytest.approx(old.card.assert_at, abs=1e-4)
    assert old.card.novelty
    assert new.card.novelty
    assert new.card.novelty.limits == pytest.approx(old.card.novelty.limits, rel=1e-3)
    assert new.card.files == old.card.files
    assert new.card.training.log_mel_means
    assert from_embeddings(new) == new.card.metrics.exam


def test_a_bundle_of_other_clips_than_the_data_set_has_is_left_as_it_is(
    tmp_path: Path, datasets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tiny_bundle(tmp_path / "b", DOMAINS["faults"])
    assert main(["faults", "--bundle", str(bundle.path)]) == 1
    assert "trained on the data set alone" in capsys.readouterr().err
    assert load_bundle(bundle.path).digest == bundle.digest


def test_exam_groups_travel_with_the_bundle(tmp_path: Path) -> None:
    exam = tiny_clips(DOMAINS["faults"], "exam")
    probe = Probe(np.zeros((1, 2, 3), np.float32), np.zeros(4, np.float32))
    assert read_exam(exam_bytes(exam, probe))[0].groups is None
    groups = np.arange(len(exam.clip_ids)) // 2
    kept = read_exam(exam_bytes(replace(exam, groups=groups), probe))[0]
    assert kept.groups is not None
    assert kept.groups.tolist() == groups.tolist()
