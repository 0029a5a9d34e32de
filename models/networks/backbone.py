"""A pretrained backbone as a folder: weights to start a domain's network from.

    backbones/<name>/weights.safetensors    of the backbone alone, without a head
    backbones/<name>/backbone.json          network, features, what it learnt and what it left out

Nothing of it is needed to serve: a bundle carries its own weights. Torch is imported where weights
are read or written: who plans a training, or teaches, only reads cards.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from data.atomic import replace_folder, staging
from data.domains.domain import AudioDomain, Domain
from data.domains.network_specs import AnyAudioNetwork
from data.domains.sections import AnyFeatures
from data.errors import InvalidDomain

if TYPE_CHECKING:
    from torch import Tensor, nn

BACKBONES = Path(__file__).resolve().parents[1] / "backbones"
FACTS, WEIGHTS = "backbone.json", "weights.safetensors"


class BackboneCard(BaseModel):
    """`facts` is open: how it was made and how well it did. `learnt_groups` are digests of the
    groups (recordings, speakers) it learnt from; cards from before they were kept have none. One
    that `stands_in_for` another has learnt from no recording of the domains that start from it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sample_rate_hz: int
    features: AnyFeatures
    network: AnyAudioNetwork
    licence: str
    sha256: str  # of the weights
    stands_in_for: str | None = None
    facts: dict[str, Any]
    learnt_groups: tuple[str, ...] = ()

    def has_learnt(self, groups: Iterable[str]) -> set[str]:
        """Those of them that it learnt from."""
        learnt = set(self.learnt_groups)
        return {group for group in groups if _digest(group) in learnt}


def write_backbone(
    folder: Path,
    domain: AudioDomain,
    weights: "dict[str, Tensor]",
    facts: dict[str, Any],
    learnt_groups: Iterable[str] = (),
    stands_in_for: str | None = None,
) -> None:
    """In place of what was in `folder`, whole or not at all."""
    from safetensors.torch import save

    raw = save({name: value.contiguous() for name, value in weights.items()})
    card = BackboneCard(
        sample_rate_hz=domain.input.sample_rate_hz,
        features=domain.features,
        network=domain.network,
        licence=domain.source.licence,
        sha256=hashlib.sha256(raw).hexdigest(),
        stands_in_for=stands_in_for,
        facts=facts,
        learnt_groups=digests(learnt_groups),
    )
    with staging(folder) as part:
        (part / WEIGHTS).write_bytes(raw)
        (part / FACTS).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
        replace_folder(part, folder)


def digests(groups: Iterable[str]) -> tuple[str, ...]:
    """As a card has them: names of people and places stay with the data."""
    return tuple(sorted(set(map(_digest, groups))))


def _digest(group: str) -> str:
    return hashlib.sha256(group.encode()).hexdigest()[:12]


def backbone_of(domain: Domain) -> BackboneCard | None:
    """The card of what a domain's network starts from; raises InvalidDomain if it is not here."""
    return _card(domain.start_from, domain) if domain.start_from else None


def stand_ins(name: str) -> list[str]:
    """The backbones that stand in for one where folds are trained."""
    cards = ((file.parent.name, file.read_bytes()) for file in sorted(BACKBONES.glob(f"*/{FACTS}")))
    found = ((each, BackboneCard.model_validate_json(raw)) for each, raw in cards)
    return [each for each, card in found if card.stands_in_for == name]


def start_from(name: str, backbone: "nn.Module", domain: AudioDomain) -> None:
    """Loads the weights of `name` into a domain's backbone; raises InvalidDomain unless the two
    hear alike and are built alike. Of a kind with a frozen trunk they are the trunk's: the layers
    that learn begin as they are."""
    from safetensors.torch import load

    card, raw = _card(name, domain), (BACKBONES / name / WEIGHTS).read_bytes()
    if hashlib.sha256(raw).hexdigest() != card.sha256:
        raise InvalidDomain(f"the weights of backbone {name} are not those its card describes")
    ours = _keys(domain.input.sample_rate_hz, domain.features, domain.network)
    theirs = _keys(card.sample_rate_hz, card.features, card.network)
    if wrong := [key for key in sorted({*ours, *theirs}) if ours.get(key) != theirs.get(key)]:
        told = (f"{key} must be {theirs.get(key)}, not {ours.get(key)}" for key in wrong)
        raise InvalidDomain(f"{domain.name} cannot start from backbone {name}: {'; '.join(told)}")
    loaded = backbone.load_state_dict(load(raw), strict=False)
    lacking = set(loaded.missing_keys)
    if domain.network.starts_from:
        lacking &= {key for key, weight in backbone.named_parameters() if not weight.requires_grad}
    if lacking or loaded.unexpected_keys:
        raise InvalidDomain(f"the weights of backbone {name} are not those of its card's network")


def _card(name: str, domain: Domain) -> BackboneCard:
    try:
        return BackboneCard.model_validate_json((BACKBONES / name / FACTS).read_bytes())
    except (OSError, ValidationError) as error:
        known = ", ".join(sorted(path.parent.name for path in BACKBONES.glob(f"*/{FACTS}")))
        raise InvalidDomain(
            f"{domain.name}: training.start_from names {name!r}, which is no backbone here; "
            f"there are {known or 'none'}"
        ) from error


def _keys(sample_rate_hz: int, features: BaseModel, network: AnyAudioNetwork) -> dict[str, Any]:
    """What weights depend on, as a domain's file calls it: not on dropout, and a frozen trunk's not
    on the size of the layer behind it."""
    sections = {"features": dict(features), "network": dict(network)}
    del sections["network"]["dropout"]
    if network.starts_from:
        del sections["network"]["embedding"]
    keys: dict[str, Any] = {"input.sample_rate_hz": sample_rate_hz}
    for name, section in sections.items():
        keys |= {f"{name}.{key}": value for key, value in section.items()}
    return keys
