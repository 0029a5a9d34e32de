"""The clips that models are judged by, and that nobody may learn from.

They are the test side of a domain's data set, and what the exams of its bundles hold: a machine
without the data set still knows them by digest. Read here from a bundle's two files, since data
may not import models.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load

from data.dataset import from_example
from data.domain import Domain
from data.home import Home
from data.sources import REPOSITORY, examples


@dataclass(frozen=True)
class Exam:
    """sha256 of its clips, and the groups (recordings, speakers) that they belong to."""

    clips: frozenset[str]
    groups: frozenset[str]


def find_exam(domain: Domain, dataset: Path | None, home: Home) -> Exam:
    clips: set[str] = set()
    groups: set[str] = set()
    if dataset is not None and (dataset / domain.source.dataset).is_dir():
        rows = [row for row in examples(domain, dataset) if row.split == "test"]
        clips |= {from_example(row).sha256 for row in rows}
        groups |= {row.group for row in rows}
    shipped = REPOSITORY / "models" / "pretrained" / domain.name
    for bundle in (shipped, *_folders(home.bundles)):
        clips |= _examined_by(bundle, domain.name)
    return Exam(frozenset(clips), frozenset(groups))


def _folders(root: Path) -> Iterable[Path]:
    return (file.parent for file in root.rglob("card.json")) if root.is_dir() else ()


def _examined_by(bundle: Path, domain: str) -> set[str]:
    try:
        if json.loads((bundle / "card.json").read_bytes())["domain"]["name"] != domain:
            return set()
        return {row.tobytes().hex() for row in load(_exam(bundle))["clip_ids"]}
    except (OSError, ValueError, KeyError, TypeError, SafetensorError):
        return set()  # half written or damaged: it examines nobody


def _exam(bundle: Path) -> bytes:
    return (bundle / "exam.safetensors").read_bytes()
