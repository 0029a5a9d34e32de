"""The registry as a service opens it: what is shipped is in it, and what is to serve."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from data.domains.domain import load_domains
from data.home import Home
from models.bundle import PRETRAINED, load_bundle
from models.registry.current_model import shipped
from models.registry.registry import Registry, must_be_bundle

SHIPPED_TAGS = {"verdict": "shipped", "reasons": '["shipped with this release"]'}


def open_registry(
    home: Home, domains: Sequence[str], pinned: Mapping[str, str], root: Path = PRETRAINED
) -> Registry:
    """A domain that nobody has registered yet starts with what is shipped for it. Raises
    UnknownName, BundleError for a pinned version (by domain) that cannot serve."""
    registry = Registry(home.tracking_uri, home.artifact_root)
    for name, domain in load_domains(names=tuple(domains)).items():
        folder = shipped(domain, root)
        if registry.champion(name) is None and folder is not None:
            version = registry.register(load_bundle(folder), run_id=None, tags=SHIPPED_TAGS)
            registry.promote(name, version.number)
    for name, number in pinned.items():
        must_be_bundle(registry.version(name, number))
    return registry
