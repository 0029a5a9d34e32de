"""What answers on this machine without a service, the same as the service would."""

from typing import TYPE_CHECKING

from data.domains.domain import load_domains
from data.home import Home
from models.bundle import cached
from models.registry.current_model import current
from serve_app.replica.champion_pointer import read_pointer

if TYPE_CHECKING:
    from serve_app.replica.champion import LoadedVersion


def current_version(home: Home, name: str) -> "LoadedVersion":
    """What the service of this home serves, else what was trained here, else what is shipped."""
    from serve_app.replica.champion import load_served  # and with it Ray, and ONNX Runtime

    domain = load_domains(names=(name,))[name]
    pointer = read_pointer(home, name)
    folder = cached(home.bundles, pointer.digest) if pointer else None
    if pointer and folder:
        return load_served(folder, pointer.version)
    return load_served(*current(domain, home))
