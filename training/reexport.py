"""The same weights, exported anew: what a bundle gains when the export becomes better.

    telltale reexport faults [--bundle FOLDER]

Nothing is learnt and no answer changes: the new network must pass the old one's self-test, which
asks for the same embedding and the same exam. The bundle gets a new digest, for its file is new.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from models.bundle import Bundle, rewrite_bundle
from models.card import BACKBONE
from models.export import export_backbone
from models.networks.kinds import trained_network
from models.runtime import OnnxModel
from training.job.options import rebuild_command


def reexport(bundle: Bundle) -> Bundle:
    """Replaces the folder's network; raises BundleError, and leaves it, if an answer changes."""
    files = {BACKBONE: export_backbone(trained_network(bundle), bundle.domain)}
    with tempfile.TemporaryDirectory() as folder:
        OnnxModel(rewrite_bundle(bundle, Path(folder) / "new", files=files)).self_test()
    return rewrite_bundle(bundle, bundle.path, files=files)


def main(arguments: Sequence[str] | None = None) -> int:
    return rebuild_command(lambda bundle, _: reexport(bundle), "reexport", __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
