"""wav2vec2.py: published weights are taken as they are, and stay as they are."""

import subprocess
import sys
import urllib.error
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from data.domains.domain import AudioDomain, load_domains
from data.domains.network_specs import Wav2Vec2Spec
from data.errors import DownloadError, InvalidParameter
from models.networks import torch_audio
from models.networks.kinds import build_network, start
from support.fakes.published import published, saved
from support.inputs.network_sizes import of_kind
from training.fitting.classify import ClassifyingNetwork
from training.fitting.learner import Learner

FAULTS = load_domains(names=("faults",))["faults"]


def started(domain: AudioDomain) -> torch.nn.Module:
    network = build_network(domain)
    start(network, domain)
    return network.train()


def waveform() -> torch.Tensor:
    samples = np.random.default_rng(0).normal(0, 0.1, (2, 8000)).astype(np.float32)
    return torch.from_numpy(samples)


def hears(network: Any, model: Any, layers: int) -> bool:
    with torch.inference_mode():
        theirs = model.extract_features(waveform(), num_layers=layers)[0][-1]
        return torch.allclose(network.trunk(waveform())[0], theirs, atol=1e-6)


@pytest.mark.parametrize("layers", [1, 2])
def test_a_file_of_published_weights_is_heard_with_to_the_layer_asked_for(
    tmp_path: Path, layers: int
) -> None:
    model = published()
    domain = of_kind(FAULTS, "wav2vec2_base", weights=saved(model, tmp_path), layers=layers)
    assert hears(started(domain), model, layers)


def test_without_a_file_the_weights_are_those_torchaudio_fetches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = published()
    monkeypatch.setattr(torch_audio, "WAV2VEC2_BASE", SimpleNamespace(get_model=lambda: model))
    assert hears(started(of_kind(FAULTS, "wav2vec2_base")), model, 2)


def test_the_sizes_are_by_default_those_that_torchaudio_publishes() -> None:
    base = Wav2Vec2Spec(kind="wav2vec2_base", embedding=64, dropout=0)
    theirs = torch_audio.WAV2VEC2_BASE._params
    assert base.layers == theirs["encoder_num_layers"]
    assert base.width == theirs["encoder_embed_dim"]
    assert base.heads == theirs["encoder_num_heads"]
    assert base.feed_forward == theirs["encoder_ff_interm_features"]
    assert base.channels == theirs["extractor_conv_layer_config"][0][0]


def test_a_machine_without_a_network_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(torch_audio, "WAV2VEC2_BASE", SimpleNamespace(get_model=away))
    with pytest.raises(DownloadError, match=r"base_ls960\.pth\) in network\.weights"):
        started(of_kind(FAULTS, "wav2vec2_base"))


def _deeper(folder: Path) -> Path:
    return saved(published(layers=1), folder)


def _wider(folder: Path) -> Path:
    return saved(published(width=64), folder)


def _no_archive(folder: Path) -> Path:
    (folder / "base.pth").write_bytes(b"not weights")
    return folder / "base.pth"


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (_deeper, r"lack \d+ parts, as encoder\.transformer\.layers\.1"),
        (_wider, "do not fit"),
        (_no_archive, r"cannot be read from base\.pth"),
        (lambda folder: folder / "none.pth", r"cannot be read from none\.pth"),
    ],
)
def test_weights_that_cannot_be_had_or_do_not_fit_are_refused_in_words(
    tmp_path: Path, file: Callable[[Path], Path], words: str
) -> None:
    with pytest.raises(InvalidParameter, match=words):
        started(of_kind(FAULTS, "wav2vec2_base", weights=file(tmp_path)))


def test_the_trunk_stays_as_it_is_while_the_rest_learns() -> None:
    domain = of_kind(FAULTS, "wav2vec2_base")
    network = ClassifyingNetwork(domain, 4, torch.ones(4))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    learner = Learner(network, domain.training, 10, torch.device("cpu"))
    learner.learn(waveform(), torch.eye(8)[:2])
    after = network.state_dict()
    averaged = learner.classifier.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert "classifier.backbone.project.weight" in changed
    assert not any(".trunk." in name for name in changed)
    trunk = {name for name in averaged if ".trunk." in name}
    assert all(torch.equal(averaged[name], before[f"classifier.{name}"]) for name in trunk)


def test_other_networks_do_without_torchaudio() -> None:
    script = (
        "import sys; from data.domains.domain import load_domains; "
        "from models.networks.kinds import *; "
        "build_network(load_domains()['faults']); print('torchaudio' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("False", "")
