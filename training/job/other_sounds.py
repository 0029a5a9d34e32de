"""The embeddings of what no label of a domain is for, by which a bundle knows it again.

That is what microphones record when nothing happens, made here, and of each data set that the
domain names as `other_sounds` what no domain has: with such a bank, of sounds of kinds that are in
it 83 % were unknown at 5 % false alarms instead of 29 % (faults; wildlife 80 instead of 47), of
kinds that are not, 46 instead of 31 % (50 instead of 44), on halves of ESC-50's other kinds.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from data.arrays import Floats
from data.datasets.backgrounds import backgrounds
from data.datasets.sources import Example, dataset_root, fine_label, listed
from data.domains.domain import AudioDomain, Domain, load_domains
from data.errors import TelltaleError
from data.media.prepare import features_of_sound, prepare
from models.export import OnnxBackbone
from models.tensors import as_stored
from training.assess.bank_facts import MADE_OF_EACH_KIND
from training.fitting.backbone_recipe import data_set

MOST = 500  # clips of all data sets
SEED = 1


def other_sounds(domain: Domain, backbone: OnnxBackbone) -> Floats:
    """[m, D]; none of a domain that sees."""
    return OTHERS[domain.modality](domain, backbone)


def _of_audio(domain: AudioDomain, backbone: OnnxBackbone) -> Floats:
    length, rate_hz = domain.input.window_samples, domain.input.sample_rate_hz
    made = (
        features_of_sound(samples, domain)[0]
        for samples in backgrounds(length, rate_hz, MADE_OF_EACH_KIND, SEED)
    )
    found = (prepare(row.path.read_bytes(), domain).features for row in foreign(domain))
    both = [backbone(each)[0].mean(axis=0) for features in (made, found) for each in features]
    return as_stored(np.stack(both))


def absent(domain: Domain) -> tuple[str, ...]:
    """Of the data sets that a domain names those that are not on this machine."""
    if not isinstance(domain, AudioDomain):
        return ()
    root = dataset_root()
    return tuple(name for name in domain.other_sounds if root is None or not _rows(name, root))


def foreign(domain: AudioDomain) -> Iterator[Example]:
    """Train rows of the data sets that a domain names, of recordings and kinds that no domain has;
    as many of each kind. None of those that are not on this machine."""
    root = dataset_root()
    if root is None or not domain.other_sounds:
        return
    ours = [row for name in load_domains() for row in _rows(name, root)]
    groups = {row.group for row in ours}
    labels = {fine_label(row.source, row.label) for row in ours}
    by_kind: dict[str, list[Example]] = defaultdict(list)
    for row in (row for name in domain.other_sounds for row in _rows(name, root)):
        if row.split == "train" and row.group not in groups:
            by_kind[fine_label(row.source, row.label)].append(row)
    kinds = [rows for kind, rows in sorted(by_kind.items()) if kind not in labels]
    for rows in kinds:
        yield from rows[: MOST // len(kinds)]


def _rows(name: str, root: Path) -> list[Example]:
    try:
        return listed(data_set(name), root)
    except TelltaleError:  # of which there is no data set here
        return []


def _of_images(domain: Domain, _backbone: OnnxBackbone) -> Floats:
    return np.zeros((0, domain.network.embedding), np.float32)


# Each is given the domains of its own modality only, which their type cannot say.
OTHERS: dict[str, Callable[[Any, OnnxBackbone], Floats]] = {
    "audio": _of_audio,
    "image": _of_images,
}
