"""A version as one file, to be kept or carried to another machine.

    telltale export champion faults.zip              of the first domain
    telltale export 3 keywords.zip --domain keywords
    telltale export shipped cracks.zip --domain cracks

Unpacked it is a bundle: `telltale evaluate DOMAIN --bundle FOLDER` examines it.
"""

import os
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from data.atomic import atomic_file
from data.domains.domain import Domain, load_domains
from data.errors import InvalidParameter, TelltaleError, UnknownName
from data.home import home_from_env, keep_to_owner
from data.terminal import command, new_parser
from models.bundle import Bundle, file_bytes, load_bundle
from models.registry.current_model import SHIPPED, shipped
from models.registry.registry import CHAMPION, PREVIOUS, Registry, Version


@command(TelltaleError)
def main(arguments: Sequence[str] | None = None) -> None:
    parser = new_parser("telltale export", __doc__)
    parser.add_argument("version", help="its number, or champion, previous or shipped")
    parser.add_argument("file", type=Path, help="a .zip that is not there yet")
    parser.add_argument("--domain", help="default: the first")
    options = parser.parse_args(arguments)
    names = (options.domain,) if options.domain else ()
    domain = next(iter(load_domains(names=names).values()))
    bundle = found(domain, options.version)
    pack(bundle, options.file)
    sys.stdout.write(f"{options.file} is {domain.name}, bundle {bundle.digest[:12]}\n")


def found(domain: Domain, version: str) -> Bundle:
    if version == SHIPPED:
        folder = shipped(domain)
        if folder is None:
            raise UnknownName(f"no model is shipped for {domain.name}")
        return load_bundle(folder)
    home = home_from_env()
    registry = Registry(home.tracking_uri, home.artifact_root)
    return load_bundle(registry.fetch(named(registry, domain.name, version), home.bundles))


def named(registry: Registry, domain: str, version: str) -> Version:
    """By its number, or by the alias of the champion or of the one before."""
    if version not in {CHAMPION, PREVIOUS}:
        return registry.version(domain, version)
    for known in registry.versions(domain):
        if version in known.aliases:
            return known
    raise UnknownName(f"{domain} has no {version}")


def pack(bundle: Bundle, file: Path) -> None:
    """The same bundle is the same bytes: times of day are left out. Raises InvalidParameter."""
    if file.suffix != ".zip" or file.exists():
        raise InvalidParameter(f"{file} must be called .zip and not be there yet")
    try:
        with atomic_file(file) as part, zipfile.ZipFile(part, "w") as packed:
            for name, raw in sorted(file_bytes(bundle).items()):
                packed.writestr(zipfile.ZipInfo(f"{bundle.domain.name}/{name}"), raw)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise InvalidParameter(f"{file} cannot be written ({reason})") from error


if __name__ == "__main__":
    keep_to_owner()
    sys.exit(main())
