"""speech_embedding.py: the numbers of the network that was published, whose weights it has."""

import numpy as np
import pytest
import torch

from data.domains.domain import load_domains
from data.domains.network_specs import SPEECH_FEATURES
from data.media.audio.features import features_for
from models.networks.kinds import build_network, start
from models.networks.speech_embedding import SpeechEmbedding, level
from support.inputs.network_sizes import of_kind

DOMAIN = of_kind(load_domains(names=("faults",))["faults"], "speech_embedding")
# The first of 96 that the published file (TensorFlow Lite) gives for the ramp.
PUBLISHED = (-5.9375, 16.2891, 15.1486, -6.6585)
# The loudest mel of its log-mel, frames of 25 ms at 16 kHz, for 1 kHz at a tenth of full scale.
PUBLISHED_TONE = 11.32


def started() -> SpeechEmbedding:
    network = build_network(DOMAIN)
    start(network, DOMAIN)
    assert isinstance(network, SpeechEmbedding)
    return network


def test_it_gives_the_numbers_of_what_was_published() -> None:
    with torch.inference_mode():
        heard = started().heard(torch.linspace(-8, 2, 32 * 77).reshape(1, 32, 77))
    assert heard.shape == (1, 96, 1)
    np.testing.assert_allclose(heard[0, :4, 0], PUBLISHED, atol=1e-3)


def test_only_the_layer_behind_its_trunk_learns() -> None:
    network = started().train()
    features = torch.randn(4, *DOMAIN.window) * 4 - 6
    before, project = network.heard(features), network.project.weight.clone()
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    network(features)[0].square().sum().backward()
    optimizer.step()
    assert torch.equal(before, network.heard(features))
    assert not torch.equal(project, network.project.weight)


def test_a_tone_is_as_loud_to_it_as_in_what_was_published() -> None:
    tone = 0.1 * np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000).astype(np.float32)
    loudest = torch.from_numpy(features_for(DOMAIN)(tone)) / np.log(10) + level(SPEECH_FEATURES)
    assert float(loudest.max(dim=0).values.median()) == pytest.approx(PUBLISHED_TONE, abs=0.3)


def test_evidence_stands_around_the_middle_of_what_a_frame_hears() -> None:
    network, moment = started().eval(), 2.0
    quiet = torch.full((1, *DOMAIN.window), -13.0)
    clicked = quiet.clone()
    clicked[..., round(100 * moment)] = 0
    with torch.inference_mode():
        moved = (network.heard(clicked) - network.heard(quiet)).abs().sum(dim=1)[0]
    frames = len(moved)
    first_s, step_s = DOMAIN.network.frames_s(DOMAIN.input.window_s, frames)
    middle_s = first_s + step_s * (np.flatnonzero(moved > 1e-3).mean() + 0.5)
    assert middle_s == pytest.approx(moment, abs=step_s)
