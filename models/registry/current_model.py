"""The model that a domain has without asking a service: trained in this home, or shipped."""

from pathlib import Path

from data.domains.domain import Domain
from data.errors import NotReady
from data.home import Home
from models.bundle import PRETRAINED
from models.card import CARD, read_card
from models.registry.mlflow_store import has_store
from models.registry.registry import Registry

SHIPPED = "shipped"


def current(domain: Domain, home: Home) -> tuple[Path, str]:
    """Its folder, and its version or "shipped"; raises NotReady where there is neither."""
    known = has_store(home.tracking_uri)
    registry = Registry(home.tracking_uri, home.artifact_root) if known else None
    if found := champion_or_shipped(domain, registry, home.bundles):
        return found
    raise NotReady(f"{domain.name} has no model yet; train it: telltale retrain {domain.name}")


def champion_or_shipped(
    domain: Domain, registry: Registry | None, cache_root: Path, root: Path = PRETRAINED
) -> tuple[Path, str] | None:
    if registry and (version := registry.champion(domain.name)):
        return registry.fetch(version, cache_root), version.number
    folder = shipped(domain, root)
    return (folder, SHIPPED) if folder else None


def shipped(domain: Domain, root: Path = PRETRAINED) -> Path | None:
    """Its folder; none for a domain of one's own that is only called like a shipped one."""
    folder = root / domain.name
    if not (folder / CARD).is_file():
        return None
    return folder if read_card((folder / CARD).read_bytes()).labels == domain.labels else None
