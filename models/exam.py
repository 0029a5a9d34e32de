"""The clips that models are judged by, and that nobody may learn from.

They are the test side of a domain's data set, and what the exams of its bundles hold: a machine
without the data set still knows them by digest.
"""

from collections.abc import Iterable
from pathlib import Path

from data.datasets.dataset import from_example
from data.datasets.sources import examples
from data.datasets.split import Exam
from data.domains.domain import Domain
from data.errors import BundleError
from data.home import Home
from models.bundle import PRETRAINED
from models.card import CARD, EXAM, read_card
from models.tensors import read_exam


def find_exam(domain: Domain, dataset: Path | None, home: Home) -> Exam:
    clips: set[str] = set()
    groups: set[str] = set()
    if dataset is not None and (dataset / domain.source.dataset).is_dir():
        rows = [row for row in examples(domain, dataset) if row.split == "test"]
        clips |= {from_example(row).sha256 for row in rows}
        groups |= {row.group for row in rows}
    for bundle in (PRETRAINED / domain.name, *_folders(home.bundles)):
        clips |= _examined_by(bundle, domain.name)
    return Exam(frozenset(clips), frozenset(groups))


def _folders(root: Path) -> Iterable[Path]:
    return (file.parent for file in root.rglob(CARD)) if root.is_dir() else ()


def _examined_by(bundle: Path, domain: str) -> set[str]:
    try:
        if read_card((bundle / CARD).read_bytes()).domain.name != domain:
            return set()
        exam, _ = read_exam((bundle / EXAM).read_bytes())
    except (OSError, BundleError):
        return set()  # half written or damaged: it examines nobody
    return set(exam.clip_ids)
