"""The fingerprints of a bundle's exam, for a bundle that was made before there were any.

    telltale fingerprint faults [--bundle FOLDER]

Nothing is learnt and no answer changes: copies of the exam's clips are known from then on. The
data set must hold the clips. The bundle gets a new digest, for it has one file more.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from data.datasets.dataset import from_example, read_file
from data.datasets.sources import dataset_root
from data.errors import Conflict
from data.quality.fingerprints import fingerprints_of
from models.bundle import Bundle, rewrite_bundle
from models.card import FINGERPRINTS
from models.tensors import fingerprint_bytes
from training.job.options import rebuild_command
from training.screening.exam_guard import dataset_rows


def fingerprint(bundle: Bundle, dataset: Path | None) -> Bundle:
    """Writes them into the folder; raises Conflict where the data set lacks a clip."""
    domain, ids = bundle.domain, bundle.exam().clip_ids
    found = {clip.sha256: clip for clip in map(from_example, dataset_rows(domain, dataset))}
    if missing := set(ids) - set(found):
        raise Conflict(
            f"the data set of {domain.name} lacks {len(missing)} of the {len(ids)} clips of this "
            "bundle's exam; it must be the one that the bundle was trained on"
        )
    prints = fingerprints_of([found[sha256] for sha256 in ids], read_file, domain)
    return rewrite_bundle(bundle, bundle.path, files={FINGERPRINTS: fingerprint_bytes(prints)})


def main(arguments: Sequence[str] | None = None) -> int:
    return rebuild_command(
        lambda bundle: fingerprint(bundle, dataset_root()),
        "fingerprint",
        __doc__,
        arguments,
    )


if __name__ == "__main__":
    sys.exit(main())
