"""reexport.py: a better export changes a bundle's digest and none of its answers."""

from pathlib import Path

import numpy as np
import pytest
import torch

from data.arrays import Floats
from data.domains.domain import load_domains
from models.bundle import Bundle, load_bundle, write_bundle
from models.card import BACKBONE, EXAM, WEIGHTS
from models.export import weights_bytes
from models.networks.kinds import build_network
from models.runtime import OnnxModel
from models.tensors import Probe, exam_bytes
from support.tiny import tiny_bundle, tiny_clips, tiny_fields, tiny_files
from training.reexport import main, reexport

ONE = load_domains(names=("keywords",))["keywords"]


def noise() -> Floats:
    return np.random.default_rng(0).normal(-6, 4, (1, *ONE.window)).astype(np.float32)


def trained_bundle(folder: Path, seed: int, probed: int) -> Bundle:
    """The weights of one random network, and the embedding that another (or the same) gives."""
    networks = {}
    for number in (seed, probed):
        torch.manual_seed(number)
        networks[number] = build_network(ONE).eval()
    with torch.inference_mode():
        embedding = networks[probed](torch.from_numpy(noise()))[0][0].numpy()
    files = {
        **tiny_files(ONE),
        WEIGHTS: weights_bytes(networks[seed]),
        EXAM: exam_bytes(tiny_clips(ONE, "exam"), Probe(noise(), embedding)),
    }
    return write_bundle(folder, card_fields=tiny_fields(ONE), files=files)


def test_a_bundle_gets_the_network_of_its_weights_and_keeps_the_rest(tmp_path: Path) -> None:
    old = trained_bundle(tmp_path / "b", seed=1, probed=1)
    new = reexport(old)
    assert load_bundle(tmp_path / "b").digest == new.digest != old.digest
    OnnxModel(new).self_test()
    changed = {name for name in new.card.files if new.card.files[name] != old.card.files[name]}
    assert changed == {BACKBONE}
    assert new.card.model_copy(update={"files": old.card.files}) == old.card


def test_a_network_that_answers_otherwise_leaves_the_bundle_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = trained_bundle(tmp_path / "b", seed=1, probed=2)
    assert main(["keywords", "--bundle", str(old.path)]) == 1
    assert "the probe clip is off by" in capsys.readouterr().err
    assert load_bundle(old.path).digest == old.digest


def test_a_bundle_without_weights_has_nothing_to_export(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tiny_bundle(tmp_path / "b", ONE)
    assert main(["keywords", "--bundle", str(bundle.path)]) == 1
    assert f"has no {WEIGHTS}" in capsys.readouterr().err
