"""The version that serves now: what a challenger starts from and is compared with."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from data.arrays import Floats
from data.domains.domain import Domain
from data.errors import Conflict
from models.bundle import Bundle, load_bundle
from models.registry.current_model import champion_or_shipped
from models.registry.registry import Registry
from models.runtime import OnnxModel
from models.tensors import Embeddings
from training.assess.memory_rows import rows_of


@dataclass(frozen=True)
class ChampionBundle:
    """`name` is its version number, or "shipped" before anything was registered."""

    bundle: Bundle
    name: str

    @cached_property
    def model(self) -> OnnxModel:
        return OnnxModel(self.bundle)

    @cached_property
    def exam(self) -> Embeddings:
        return self.bundle.exam()

    @cached_property
    def memory(self) -> Embeddings:
        return self.bundle.memory()

    @cached_property
    def remembered(self) -> Mapping[str, Floats]:
        """Embeddings [rows, D] by clip: whoever is remembered need not be heard again."""
        return dict(zip(self.memory.clip_ids, self.memory.by_clip, strict=True))

    def embed(self, features: Floats) -> Floats:
        """One clip's features -> its embeddings [rows, D]."""
        return rows_of(features, self.model.embed(features), self.bundle.domain)


def find_champion(
    domain: Domain, registry: Registry, cache_root: Path, shipped_root: Path
) -> ChampionBundle | None:
    """The registry's champion, else the shipped bundle, else none."""
    found = champion_or_shipped(domain, registry, cache_root, shipped_root)
    if found is None:
        return None
    folder, version = found
    return ChampionBundle(load_bundle(folder), version)


def dataset_clips(champion: ChampionBundle) -> int:
    """How many of the first remembered clips came with the data set; the others were uploaded."""
    facts: Mapping[str, object] = champion.bundle.card.training.model_dump()
    clips = facts.get("from_dataset", len(champion.memory.clip_ids))
    assert isinstance(clips, int), f"from_dataset is {clips!r}"
    return clips


def must_share_labels(champion: ChampionBundle, domain: Domain) -> None:
    if champion.bundle.labels != domain.labels:
        raise Conflict(
            f"{domain.name} now has the labels {', '.join(domain.labels)}; its champion knows "
            f"{', '.join(champion.bundle.labels)}. Teaching cannot change labels: retrain in full"
        )
