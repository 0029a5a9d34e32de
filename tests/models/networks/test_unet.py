"""unet.py: a score for every pixel of a photograph of any size, from a small network."""

import numpy as np
import pytest
import torch

from data.domains.domain import Domain, load_domains
from models.export import PARITY, OnnxBackbone, export_backbone
from models.networks.kinds import build_classifier, build_network, count_parameters
from models.networks.unet import AttentionGate

DOMAINS = [domain for domain in load_domains().values() if domain.network.kind == "unet"]


@pytest.fixture(params=DOMAINS, ids=lambda domain: domain.name)
def domain(request: pytest.FixtureRequest) -> Domain:
    found: Domain = request.param
    return found


def test_a_network_stays_small(domain: Domain) -> None:
    assert count_parameters(build_classifier(domain)) <= 1_000_000


@pytest.mark.parametrize("size", [(64, 64), (64, 96), (120, 200)])
def test_every_pixel_has_an_embedding_and_they_lie_row_by_row(
    domain: Domain, size: tuple[int, int]
) -> None:
    """A lone bright spot changes what lies around it, and nothing far away."""
    torch.manual_seed(0)
    network = build_network(domain).eval()
    dark = torch.zeros(1, 3, *size)
    lit = dark.clone()
    lit[0, :, 10, 40] = 1.0
    with torch.inference_mode():
        mean, before = network(dark)
        _, after = network(lit)
    assert mean.shape == (1, domain.network.embedding)
    assert before.shape == (1, size[0] * size[1], domain.network.embedding)
    changed = (after - before).abs().sum(dim=2).reshape(size)
    row, column = np.unravel_index(int(changed.argmax()), size)
    assert abs(row - 10) <= 2
    assert abs(column - 40) <= 2


def test_an_export_takes_photographs_of_any_size(domain: Domain) -> None:
    torch.manual_seed(0)
    network = build_network(domain)
    network(torch.rand(4, *domain.window))  # running statistics that are not the initial ones
    network.eval()
    backbone = OnnxBackbone(export_backbone(network, domain))
    for size in ((64, 64), (96, 160)):
        features = torch.rand(1, 3, *size)
        with torch.inference_mode():
            expected = [output.numpy() for output in network(features)]
        for seen, right in zip(backbone(features.numpy()), expected, strict=True):
            assert np.abs(seen - right).max() <= PARITY * max(1.0, np.abs(right).max())


def test_a_gate_only_weakens_what_it_lets_through() -> None:
    skip, deep = torch.randn(2, 8, 16, 16), torch.randn(2, 8, 16, 16)
    with torch.inference_mode():
        passed = AttentionGate(8)(skip, deep)
    assert torch.all(passed.abs() <= skip.abs())
    assert torch.all(passed * skip >= 0)
    share = passed / skip
    assert torch.allclose(share, share[:, :1].expand_as(share), atol=1e-5)  # one for each place
