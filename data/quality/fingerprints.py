"""What a clip can be known by after another codec, level or size: some hundred bytes.

Each modality has its own, with a threshold of its own (`near_copies.py`, `photo_copies.py`). They
are compared only with those of the same modality. None is ever worked out for a prediction.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from data.arrays import Floats
from data.datasets.dataset import LabelledClip, Reader
from data.domains.domain import Domain
from data.quality import near_copies, photo_copies
from data.quality.copy_pairs import CopyPair, Fingerprints


@dataclass(frozen=True)
class Kind:
    """`name` is kept with fingerprints, and changes with what they mean; `likeness` takes those of
    one clip and of others, and gives their likeness [n], at most 1; from `copy` on they are
    copies. `find_copies` gives the pairs of copies in a list, but for those among so many of the
    first."""

    name: str
    make: Callable[[bytes, Any], bytes]
    likeness: Callable[[bytes, Sequence[bytes]], Floats]
    find_copies: Callable[[Sequence[bytes], int], list[CopyPair]]
    copy: float


def kind_of(domain: Domain) -> Kind:
    return KINDS[domain.modality]


def fingerprints_of(clips: Sequence[LabelledClip], read: Reader, domain: Domain) -> Fingerprints:
    kind = kind_of(domain)
    return Fingerprints(kind.name, tuple(kind.make(read(clip), domain) for clip in clips))


def likeness_to(one: bytes, others: Fingerprints, domain: Domain) -> float:
    """Of a clip to that of the others which is most alike; 0 to those of another kind."""
    kind = kind_of(domain)
    if others.kind != kind.name:
        return 0.0
    return float(kind.likeness(one, others.values).max(initial=0.0))


def is_copy(one: bytes, others: Fingerprints, domain: Domain) -> bool:
    return likeness_to(one, others, domain) >= kind_of(domain).copy


def find_copies(prints: Fingerprints, compared: int = 0) -> list[CopyPair]:
    """Pairs of copies, the most alike first, but for those among the first `compared`."""
    for kind in KINDS.values():
        if kind.name == prints.kind:
            return kind.find_copies(prints.values, compared)
    return []


KINDS: dict[str, Kind] = {
    "audio": Kind(
        "waveform_signs",
        near_copies.fingerprint,
        near_copies.likeness,
        near_copies.find_copies,
        near_copies.COPY,
    ),
    "image": Kind(
        "grey_picture",
        photo_copies.fingerprint,
        photo_copies.likeness,
        photo_copies.find_copies,
        photo_copies.COPY,
    ),
}
