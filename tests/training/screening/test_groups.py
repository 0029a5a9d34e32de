"""groups.py: what stands or falls as one."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from data.domains.domain import load_domains
from data.quality.copy_pairs import CopyPair, Fingerprints
from data.quality.fingerprints import find_copies, kind_of
from data.store.clips.clip_rows import Clip
from support.inputs.sounds import bursts, wav
from training.screening.groups import copy_weights, correction_groups

DOMAIN = load_domains(names=("faults",))["faults"]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def clip(number: int, minutes: float, who: str = "anna", group: str | None = None) -> Clip:
    moment = NOON + timedelta(minutes=minutes)
    sha256 = f"{number:064d}"
    return Clip(
        "faults", sha256, "fluid", group, "accepted", "", who, "upload", 9, 1.0, 8000, moment
    )


def copies(seeds: Sequence[int]) -> list[CopyPair]:
    """Pairs among clips of another sound for each seed, each time at another level."""
    kind = kind_of(DOMAIN)
    waves = [bursts(seed) / (2 + place) for place, seed in enumerate(seeds)]
    made = tuple(kind.make(wav(wave, 8000), DOMAIN) for wave in waves)
    return find_copies(Fingerprints(kind.name, made))


def together(groups: Sequence[str]) -> list[list[int]]:
    return [
        [place for place, one in enumerate(groups) if one == name]
        for name in dict(zip(groups, groups, strict=True))
    ]


def test_one_afternoon_of_one_contributor_is_one_group() -> None:
    clips = [clip(0, 0), clip(1, 50), clip(2, 55, "ben"), clip(3, 100), clip(4, 161)]
    assert together(correction_groups(clips, [])) == [[0, 1, 3], [2], [4]]


def test_a_list_that_is_imported_is_no_afternoon() -> None:
    listed = [replace(clip(number, number), source="import") for number in (1, 2)]
    clips = [clip(0, 0), *listed, clip(3, 3)]
    assert together(correction_groups(clips, [])) == [[0, 3], [1], [2]]


def test_what_people_say_of_a_group_stands() -> None:
    clips = [clip(0, 0, group="pump 3"), clip(1, 1), clip(2, 2, "ben", "pump 3"), clip(3, 3)]
    found = correction_groups(clips, [])
    assert found[0] == found[2] == "pump 3"
    assert together(found) == [[0, 2], [1, 3]]


def test_copies_are_one_group_whoever_sends_them_and_whenever() -> None:
    clips = [clip(0, 0), clip(1, 999, "ben"), clip(2, 5), clip(3, 6), clip(4, 7, group="fan")]
    found = correction_groups(clips, copies([1, 1, 2, 3, 3]))
    assert together(found) == [[0, 1], [2], [3, 4]]
    assert found[3] == "fan"


def test_copies_with_one_label_count_once_together() -> None:
    labels = ["fluid", "fluid", "normal", "fluid", "fluid"]
    weights = copy_weights(labels, copies([1, 1, 1, 2, 1]))
    assert np.allclose(weights, [1 / 3, 1 / 3, 1, 1, 1 / 3])
    assert np.allclose(copy_weights(labels, []), 1)
