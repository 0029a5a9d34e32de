"""The same weights, exported anew: what a bundle gains when the export becomes better.

    telltale reexport faults [--bundle FOLDER]

Nothing is learnt and no answer changes: the new network must pass the old one's self-test, which
asks for the same embedding and the same exam. The bundle gets a new digest, for its file is new.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import load

from data.errors import BundleError
from models.bundle import Bundle, rewrite_bundle
from models.card import BACKBONE, WEIGHTS
from models.export import export_backbone
from models.networks.kinds import build_network
from models.runtime import OnnxModel
from training.job.options import rebuild_command


def reexport(bundle: Bundle) -> Bundle:
    """Replaces the folder's network; raises BundleError, and leaves it, if an answer changes."""
    network = build_network(bundle.domain)
    try:
        network.load_state_dict(load(bundle.read(WEIGHTS)))
    except RuntimeError as error:
        raise BundleError(f"{WEIGHTS} does not fit the network: {error}") from error
    files = {BACKBONE: export_backbone(network, bundle.domain)}
    with tempfile.TemporaryDirectory() as folder:
        OnnxModel(rewrite_bundle(bundle, Path(folder) / "new", files=files)).self_test()
    return rewrite_bundle(bundle, bundle.path, files=files)


def main(arguments: Sequence[str] | None = None) -> int:
    return rebuild_command(reexport, "reexport", __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
