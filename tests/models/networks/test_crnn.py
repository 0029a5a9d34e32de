"""crnn.py: it hears in which order things happen."""

import torch

from data.domains.domain import load_domains
from models.networks.kinds import build_network
from support.inputs.network_sizes import of_kind

DOMAIN = of_kind(load_domains(names=("keywords",))["keywords"], "crnn")


def test_a_moment_is_heard_in_the_light_of_what_came_before_and_after() -> None:
    torch.manual_seed(0)
    network = build_network(DOMAIN).eval()
    before = torch.randn(1, *DOMAIN.window) * 4 - 6
    after = before.clone()
    after[..., DOMAIN.frames // 2] += 6
    with torch.inference_mode():
        moved = (network(after)[1] - network(before)[1]).abs().amax(dim=(0, 2))
    assert moved[0] > 0
    assert moved[-1] > 0
    assert moved.argmax() not in (0, len(moved) - 1)
