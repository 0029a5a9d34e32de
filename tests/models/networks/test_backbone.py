"""A domain may start from pretrained weights, if they fit, and says so if they do not."""

from pathlib import Path

import pytest
import torch

from data.domains.domain import AudioDomain, load_domains
from data.domains.sections import LogMelSpec
from data.errors import InvalidDomain
from models.networks import backbone
from models.networks.backbone import start_from, write_backbone
from models.networks.kinds import build_network
from support.inputs.network_sizes import of_kind


@pytest.fixture
def domain() -> AudioDomain:
    found = load_domains(names=("faults",))["faults"]
    assert isinstance(found, AudioDomain)
    return found


@pytest.fixture
def sounds(tmp_path: Path, domain: AudioDomain, monkeypatch: pytest.MonkeyPatch) -> torch.nn.Module:
    """A backbone of the name `sounds`."""
    monkeypatch.setattr(backbone, "BACKBONES", tmp_path)
    network = build_network(domain)
    write_backbone(tmp_path / "sounds", domain, network.state_dict(), {"classes": ["hum"]})
    return network


def test_a_network_starts_where_another_ended(sounds: torch.nn.Module, domain: AudioDomain) -> None:
    network = build_network(domain)
    features = torch.randn(2, *domain.window)
    start_from("sounds", network, domain)
    with torch.inference_mode():
        ours, theirs = network.eval()(features)[0], sounds.eval()(features)[0]
    assert torch.equal(ours, theirs)


def test_of_a_frozen_trunk_the_weights_are_whole_and_what_learns_begins_as_it_is(
    tmp_path: Path, domain: AudioDomain, monkeypatch: pytest.MonkeyPatch
) -> None:
    speech = of_kind(domain, "speech_embedding", embedding=64)
    shipped = build_network(speech)
    own = shipped.state_dict()["project.weight"].clone()
    start_from("speech", shipped, speech)
    assert torch.equal(shipped.state_dict()["project.weight"], own)
    trunk = {k: w for k, w in shipped.state_dict().items() if k.startswith("trunk.")}
    lacking = dict(list(trunk.items())[1:])
    monkeypatch.setattr(backbone, "BACKBONES", tmp_path)
    for weights in (lacking, trunk | {"roots": own}):
        write_backbone(tmp_path / "speech", speech, weights, {})
        with pytest.raises(InvalidDomain, match="not those of its card's network"):
            start_from("speech", build_network(speech), speech)


def test_of_a_network_that_learns_whole_no_weight_may_be_lacking(
    sounds: torch.nn.Module, domain: AudioDomain, tmp_path: Path
) -> None:
    lacking = dict(list(sounds.state_dict().items())[1:])
    write_backbone(tmp_path / "sounds", domain, lacking, {})
    with pytest.raises(InvalidDomain, match="not those of its card's network"):
        start_from("sounds", build_network(domain), domain)


def test_what_hears_otherwise_cannot_start_there(
    sounds: torch.nn.Module, domain: AudioDomain
) -> None:
    features = domain.features.model_copy(update={"hop_length": 160})
    other = domain.model_copy(update={"features": features})
    with pytest.raises(InvalidDomain, match="cannot start from backbone sounds"):
        start_from("sounds", build_network(other), other)


def test_an_unknown_backbone_is_said_with_the_known(
    sounds: torch.nn.Module, domain: AudioDomain
) -> None:
    with pytest.raises(InvalidDomain, match="'birds', which is no backbone here; there are sounds"):
        start_from("birds", build_network(domain), domain)


def test_damaged_weights_are_not_started_from(
    sounds: torch.nn.Module, domain: AudioDomain, tmp_path: Path
) -> None:
    file = tmp_path / "sounds" / "weights.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\0")
    with pytest.raises(InvalidDomain, match="not those its card describes"):
        start_from("sounds", build_network(domain), domain)


def test_only_the_keys_that_differ_are_named(sounds: torch.nn.Module, domain: AudioDomain) -> None:
    features = domain.features.model_copy(update={"hop_length": 160})
    network = domain.network.model_copy(update={"dropout": 0.5, "embedding": 32})
    other = domain.model_copy(update={"features": features, "network": network})
    assert isinstance(domain.features, LogMelSpec)
    hop, size = domain.features.hop_length, domain.network.embedding
    with pytest.raises(InvalidDomain) as refused:
        start_from("sounds", build_network(other), other)
    assert str(refused.value) == (
        f"faults cannot start from backbone sounds: features.hop_length must be {hop}, not 160; "
        f"network.embedding must be {size}, not 32"
    )


def test_a_backbone_is_replaced_whole(
    sounds: torch.nn.Module, domain: AudioDomain, tmp_path: Path
) -> None:
    network = build_network(domain)
    write_backbone(tmp_path / "sounds", domain, network.state_dict(), {})
    start_from("sounds", build_network(domain), domain)
    assert [folder.name for folder in tmp_path.iterdir()] == ["sounds"]
