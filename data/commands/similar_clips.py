"""python -m data similar: the clips that a domain's model remembers which are most like one."""

import argparse
import hashlib
from pathlib import Path

from data.commands.existing_store import existing_store
from data.datasets.labelled_clips import of_dataset, of_store
from data.datasets.sources import dataset_root
from data.domains.domain import Domain, load_domains
from data.errors import InvalidParameter
from data.home import Home, planned_home

SHOWN = 10


def offer(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    asking = commands.add_parser("similar", help="what a model remembers that is most like a clip")
    asking.add_argument("clip", type=Path, help="a file")
    asking.add_argument("--domain", required=True, metavar="NAME")
    asking.add_argument("--count", type=int, default=SHOWN, help=f"how many; default: {SHOWN}")
    asking.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from models.bundle import load_bundle
    from models.registry.current_model import current
    from models.similar import neighbours

    domain, home = load_domains(names=(options.domain,))[options.domain], planned_home()
    try:
        raw = options.clip.read_bytes()
    except OSError as error:
        raise InvalidParameter(f"{options.clip} cannot be read: {error.strerror}") from error
    folder, version = current(domain, home)
    itself, names = hashlib.sha256(raw).hexdigest(), _names(domain, home)
    found = neighbours(raw, load_bundle(folder))
    for one in [one for one in found if one.sha256 != itself][: options.count]:
        print(f"  {one.distance:8.3f}  {one.label:20}  {names.get(one.sha256, one.sha256[:12])}")
    its = "; this very clip is one of them" * any(one.sha256 == itself for one in found)
    print(f"{domain.title}, version {version}, remembers {len(found)} clips{its}.")
    return 0


def _names(domain: Domain, home: Home) -> dict[str, str]:
    """By digest, of the data set's clips and of those that people sent."""
    store = existing_store(home)
    known = [*of_dataset(domain, dataset_root()), *(of_store(store, domain.name) if store else [])]
    return {clip.sha256: clip.name for clip in known}
