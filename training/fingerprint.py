"""The fingerprints of a bundle's exam, for a bundle that was made before there were any.

    telltale fingerprint faults [--bundle FOLDER]

Nothing is learnt and no answer changes: copies of the exam's clips are known from then on. The
data set must hold the clips. The bundle gets a new digest, for it has one file more.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from data.datasets.dataset import read_file
from data.datasets.sources import dataset_root
from data.quality.fingerprints import fingerprints_of
from models.bundle import Bundle, rewrite_bundle
from models.card import FINGERPRINTS
from models.tensors import fingerprint_bytes
from training.job.options import rebuild_command
from training.screening.exam_guard import clips_of_exam, dataset_rows


def fingerprint(bundle: Bundle, dataset: Path | None) -> Bundle:
    """Writes them into the folder; raises Conflict where the data set lacks a clip."""
    domain = bundle.domain
    clips = clips_of_exam(bundle.exam().clip_ids, dataset_rows(domain, dataset), domain)
    prints = fingerprints_of(clips, read_file, domain)
    return rewrite_bundle(bundle, bundle.path, files={FINGERPRINTS: fingerprint_bytes(prints)})


def main(arguments: Sequence[str] | None = None) -> int:
    return rebuild_command(
        lambda bundle, _: fingerprint(bundle, dataset_root()),
        "fingerprint",
        __doc__,
        arguments,
    )


if __name__ == "__main__":
    sys.exit(main())
