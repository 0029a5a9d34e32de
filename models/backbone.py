"""A pretrained backbone as a folder: weights to start a domain's network from.

    backbones/<name>/weights.safetensors    of the backbone alone, without a head
    backbones/<name>/backbone.json          network, features, what it learnt and what it left out

Nothing of it is needed to serve: a bundle carries its own weights.
"""

import hashlib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors.torch import load, save
from torch import Tensor, nn

from data.domain import AudioDomain
from data.errors import InvalidDomain
from data.network_specs import AnyAudioNetwork, AudioNetworkSpec
from data.sections import AnyFeatures

BACKBONES = Path(__file__).resolve().parent / "backbones"
FACTS, WEIGHTS = "backbone.json", "weights.safetensors"


class BackboneCard(BaseModel):
    """`facts` is open: how it was made and how well it did."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sample_rate_hz: int
    features: AnyFeatures
    network: AnyAudioNetwork
    licence: str
    sha256: str  # of the weights
    facts: dict[str, Any]


def write_backbone(
    folder: Path, domain: AudioDomain, weights: dict[str, Tensor], facts: dict[str, Any]
) -> None:
    raw = save({name: value.contiguous() for name, value in weights.items()})
    card = BackboneCard(
        sample_rate_hz=domain.input.sample_rate_hz,
        features=domain.features,
        network=domain.network,
        licence=domain.source.licence,
        sha256=hashlib.sha256(raw).hexdigest(),
        facts=facts,
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WEIGHTS).write_bytes(raw)
    (folder / FACTS).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")


def start_from(name: str, backbone: nn.Module, domain: AudioDomain) -> None:
    """Loads the weights of `name` into a domain's backbone; raises InvalidDomain unless the two
    hear alike and are built alike."""
    folder = BACKBONES / name
    try:
        card = BackboneCard.model_validate_json((folder / FACTS).read_bytes())
        raw = (folder / WEIGHTS).read_bytes()
    except (OSError, ValidationError) as error:
        known = ", ".join(sorted(path.parent.name for path in BACKBONES.glob(f"*/{FACTS}")))
        raise InvalidDomain(
            f"{domain.name}: training.start_from names {name!r}, which is no backbone here; "
            f"there are {known or 'none'}"
        ) from error
    if hashlib.sha256(raw).hexdigest() != card.sha256:
        raise InvalidDomain(f"the weights of backbone {name} are not those its card describes")
    ours = (domain.input.sample_rate_hz, domain.features, _shape(domain.network))
    theirs = (card.sample_rate_hz, card.features, _shape(card.network))
    if ours != theirs:
        raise InvalidDomain(
            f"{domain.name} cannot start from backbone {name}: sample_rate_hz, features and "
            f"network must be {theirs}, not {ours}"
        )
    backbone.load_state_dict(load(raw))


def _shape(spec: AudioNetworkSpec) -> AudioNetworkSpec:
    return spec.model_copy(update={"dropout": 0.0})  # has no weights
