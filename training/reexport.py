"""The same weights, exported anew: what a bundle gains when the export becomes better.

    python -m training.reexport faults [--bundle FOLDER]

Nothing is learnt and no answer changes: the new network must pass the old one's self-test, which
asks for the same embedding and the same exam. The bundle gets a new digest, for its file is new.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import load

from data.errors import BundleError, TelltaleError
from models.bundle import PRETRAINED, Bundle, load_bundle, write_bundle
from models.card import BACKBONE, WEIGHTS
from models.export import export_backbone
from models.networks import build_network
from models.runtime import OnnxModel


def reexport(bundle: Bundle) -> Bundle:
    """Replaces the folder's network; raises BundleError, and leaves it, if an answer changes."""
    network = build_network(bundle.domain)
    try:
        network.load_state_dict(load(bundle.read(WEIGHTS)))
    except RuntimeError as error:
        raise BundleError(f"{WEIGHTS} does not fit the network: {error}") from error
    files = {name: bundle.read(name) for name in bundle.card.files}
    files[BACKBONE] = export_backbone(network, bundle.domain)
    fields = bundle.card.model_dump(exclude={"files"})
    with tempfile.TemporaryDirectory() as folder:
        OnnxModel(write_bundle(Path(folder) / "new", card_fields=fields, files=files)).self_test()
    return write_bundle(bundle.path, card_fields=fields, files=files)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.reexport", description=__doc__)
    parser.add_argument("domain")
    parser.add_argument("--bundle", type=Path, help="default: the shipped one of the domain")
    options = parser.parse_args(arguments)
    try:
        old = load_bundle(options.bundle or PRETRAINED / options.domain)
        new = reexport(old)
    except TelltaleError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{options.domain}: {old.digest[:12]} -> {new.digest[:12]}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
