"""speech_embedding.py: the numbers of the network that was published, whose weights it has."""

import numpy as np
import torch

from data.domains.domain import load_domains
from models.networks.kinds import build_network, start
from models.networks.speech_embedding import SpeechEmbedding
from support.inputs.network_sizes import of_kind

DOMAIN = of_kind(load_domains(names=("faults",))["faults"], "speech_embedding")
# The first of 96 that the published file (TensorFlow Lite) gives for the ramp.
PUBLISHED = (-5.9375, 16.2891, 15.1486, -6.6585)


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


def test_its_trunk_learns_nothing() -> None:
    network = started()
    learning = {name for name, weight in network.named_parameters() if weight.requires_grad}
    assert not any(name.startswith("trunk.") for name in learning)
    before = network.heard(torch.zeros(1, *DOMAIN.window))
    network.train()(torch.randn(4, *DOMAIN.window) * 4 - 6)
    assert torch.equal(before, network.heard(torch.zeros(1, *DOMAIN.window)))
