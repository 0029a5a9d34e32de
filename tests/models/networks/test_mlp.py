"""mlp.py: what it is told of a stretch, and of which stretch."""

import numpy as np
import pytest
import scipy.fft
import torch

from data.domains.domain import load_domains
from models.networks.kinds import build_network
from models.networks.mlp import StatisticsMLP, cepstrum
from support.inputs.network_sizes import of_kind

DOMAIN = of_kind(load_domains(names=("faults",))["faults"], "mlp")


@pytest.fixture
def network() -> StatisticsMLP:
    torch.manual_seed(0)
    built = build_network(DOMAIN).eval()
    assert isinstance(built, StatisticsMLP)
    return built


def sound(seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.normal(-6, 4, (1, *DOMAIN.window)).astype(np.float32))


def test_the_cepstrum_is_that_of_the_orthonormal_dct() -> None:
    log_mel = sound()[0].numpy()
    theirs = scipy.fft.dct(log_mel, norm="ortho", axis=0)[:20]
    np.testing.assert_allclose(cepstrum(len(log_mel), 20).numpy() @ log_mel, theirs, atol=1e-4)


def test_a_stretch_is_told_by_mean_deviation_maximum_and_change(network: StatisticsMLP) -> None:
    rows = sound()
    told = network.statistics(rows)[0].numpy()
    stretch = rows[0, :, network.hop : network.hop + network.length].numpy()
    changes = np.abs(np.diff(stretch)).mean(axis=1)
    right = [stretch.mean(axis=1), stretch.std(axis=1), stretch.max(axis=1), changes]
    np.testing.assert_allclose(told[:, 1], np.concatenate(right), atol=1e-3)


def test_evidence_is_of_its_own_stretch_and_of_no_other(network: StatisticsMLP) -> None:
    before, after = sound(), sound()
    after[..., 4 * network.hop + 5] += 3
    with torch.inference_mode():
        moved = (network(after)[1] - network(before)[1]).abs().amax(dim=(0, 2))
    assert moved[4] > 0.01
    assert torch.cat((moved[:4], moved[5:])).max() < 1e-5


@pytest.mark.parametrize("frame", [0, -1])
def test_the_window_is_heard_from_its_first_to_its_last_frame(
    network: StatisticsMLP, frame: int
) -> None:
    before, after = sound(), sound()
    after[..., frame] += 3
    with torch.inference_mode():
        assert not torch.equal(network(after)[0], network(before)[0])


def test_a_stretch_as_long_as_the_window_tells_of_the_whole_clip() -> None:
    whole = of_kind(DOMAIN, "mlp", stretch_s=DOMAIN.input.window_s)
    embedding, frames = build_network(whole).eval()(sound())
    assert torch.allclose(frames[:, 0], embedding, atol=1e-6)
