"""A checkpoint holds what learns; what stays as it was published is fetched, not kept thrice."""

from pathlib import Path

import torch

from data.domains.domain import load_domains
from support.fakes.published import published, saved
from support.inputs.network_sizes import of_kind
from training.fitting.classify import ClassifyingNetwork
from training.fitting.learner import Learner

FAULTS = load_domains(names=("faults",))["faults"]


def test_a_checkpoint_without_the_trunk_brings_back_the_whole_network(tmp_path: Path) -> None:
    domain = of_kind(FAULTS, "wav2vec2_base", weights=saved(published(), tmp_path))

    def learner() -> Learner:
        torch.manual_seed(0)
        network = ClassifyingNetwork(domain, 4, torch.ones(4))
        return Learner(network, domain.training, 10, torch.device("cpu"))

    first = learner()
    first.learn(torch.randn(2, 8000) / 10, torch.eye(8)[:2])
    first.keep_as_best()
    first.learn(torch.randn(2, 8000) / 10, torch.eye(8)[:2])
    first.save(tmp_path / "state.pt")
    kept = torch.load(tmp_path / "state.pt", weights_only=True)
    names = [name for part in ("network", "average", "best") for name in kept[part]]
    assert names
    assert not any("trunk" in name for name in names)
    second = learner()
    second.restore(tmp_path / "state.pt")
    for ours, theirs in (
        (first.weights, second.weights),
        (first.plain.state_dict(), second.plain.state_dict()),
        (first.average.state_dict(), second.average.state_dict()),
    ):
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert any("trunk" in name for name in second.weights)
