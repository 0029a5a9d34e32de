"""A small trial on a tiny bundle: its table has every figure, and a missed bar ends it with 1."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from data.datasets.backgrounds import pink
from data.datasets.dataset import LabelledClip, read_file
from data.domains.domain import load_domains
from data.quality.fingerprints import fingerprints_of
from models.bundle import Bundle
from models.tensors import Head
from support.tiny import tiny_bundle
from training.teaching.head import LabelledEmbeddings
from training.trial import scenarios
from training.trial.conditions import CONDITIONS
from training.trial.copies import exam_copies
from training.trial.material import TrialMaterial
from training.trial.scenarios import SCENARIOS
from training.trial.teach_loop import Batch, TeachLoop
from training.trial.trial_report import draw, row_of, table


@pytest.fixture
def material(tmp_path: Path) -> TrialMaterial:
    """Clips around the corners that the tiny bundle's head tells apart."""
    domain = load_domains(names=("faults",))["faults"]
    bundle = tiny_bundle(tmp_path / "bundle", domain)
    memory, rng = bundle.memory(), np.random.default_rng(0)
    labels = np.arange(60) % len(domain.labels)
    centres = np.stack([memory.values[memory.labels == k].mean(0) for k in range(4)])
    values = (centres[labels] + rng.normal(0, 0.3, (60, centres.shape[1]))).astype(np.float32)
    return TrialMaterial(
        bundle,
        domain,
        bundle.anchor(),
        LabelledEmbeddings(memory.values, memory.labels),
        bundle.exam(),
        values,
        labels,
        np.arange(60),
        {name: values.copy() for name in CONDITIONS},
        rng.normal(0, 1, (20, centres.shape[1])).astype(np.float32),
    )


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != "copies"])
def test_every_scenario_has_its_figures(
    name: str, material: TrialMaterial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenarios, "HONEST_TEACHES", 6)
    monkeypatch.setattr(scenarios, "FLIP_BATCHES", 4)
    material.conditions["noise"][:20] = -material.values[:20]  # what it answers wrongly
    figures = SCENARIOS[name](material, np.random.default_rng(0))
    assert figures
    for values in figures.values():
        assert len(values)
        assert np.isfinite(values).all()


def test_copies_of_the_exam_are_known_in_every_form(
    material: TrialMaterial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(2)
    sounds = [pink(64_000, rng) * np.float32(0.2) for _ in range(2)]
    for place, sound in enumerate(sounds):
        soundfile.write(tmp_path / f"{place}.wav", sound, 16_000)
    clips = tuple(
        LabelledClip(f"{place}", "normal", f"{place}", "toy", tmp_path / f"{place}.wav")
        for place in range(2)
    )
    prints = fingerprints_of(clips, read_file, material.domain)
    monkeypatch.setattr(Bundle, "exam_fingerprints", lambda _: prints)
    assert exam_copies(replace(material, examined=()), rng) == {}
    figures = exam_copies(replace(material, examined=clips), rng)
    assert len(figures["exam copies: refused"]) == 8
    assert np.mean(figures["exam copies: refused"]) == 1


def test_a_right_batch_is_promoted_and_only_what_is_promoted_changes_the_champion(
    material: TrialMaterial,
) -> None:
    loop = TeachLoop(material, material.anchor)
    places = np.arange(8)
    assert loop.teach(Batch(material.values[places], material.labels[places], places))
    taught: Head = loop.champion
    wrong = (material.labels[8:28] + 1) % 4
    if not loop.teach(Batch(material.values[8:28], wrong, np.arange(8, 28))):
        assert loop.champion is taught
        assert len(loop.kept) == 8


def test_the_table_says_what_is_missed_and_the_plot_is_drawn(tmp_path: Path) -> None:
    rows = [
        row_of("honest: other clips", [[0.01], [0.0]], "faults"),
        row_of("flips: other clips", [[-0.2], [-0.1]], "faults"),
        row_of("creep: curve", [[0.0, -0.01], [0.0, -0.02]], "faults"),
    ]
    lines = table(rows).splitlines()
    assert lines[1].endswith("held")
    assert lines[2].endswith("MISSED")
    draw(rows, tmp_path / "trial.png", "faults")
    assert (tmp_path / "trial.png").stat().st_size > 5_000
    assert json.dumps([vars(row) for row in rows])


def test_a_bar_may_be_higher_for_one_domain() -> None:
    figure = "half of the wrong: others mended"
    assert row_of(figure, [[0.2]], "faults").passed
    assert not row_of(figure, [[0.2]], "wildlife").passed


@pytest.mark.parametrize("name", list(CONDITIONS))
def test_a_condition_changes_the_sound_and_not_its_length(name: str) -> None:
    rng = np.random.default_rng(1)
    sound = pink(16_000, rng)
    heard = CONDITIONS[name](sound, 16_000, rng)
    assert heard.shape == sound.shape
    assert np.isfinite(heard).all()
    assert not np.allclose(heard, sound)
