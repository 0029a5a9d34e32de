"""Which accepted clips are copies of each other. A pair is compared once: what is found is kept
with the features of the clip that came later, and a run compares only clips that are new to it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from data.domains.domain import Domain
from data.quality.copy_pairs import CopyPair, Fingerprints
from data.quality.fingerprints import find_copies, kind_of
from data.store.clips.clip_features import Features

Digests = Sequence[str]


def with_copies(
    clips: Digests, features: Sequence[Features], known: Mapping[str, Features], domain: Domain
) -> tuple[Features, ...]:
    """The features of these clips, with the copies of those that were never compared. They are
    compared with whatever is known of the domain, also what does not count at present, so that no
    pair is missed when that counts again."""
    new = {clip: one for clip, one in zip(clips, features, strict=True) if one.copies is None}
    if not new:
        return tuple(features)
    before = {clip: one for clip, one in known.items() if one.fingerprint and clip not in new}
    order = [*before, *new]
    prints = tuple(one.fingerprint or b"" for one in (before | new).values())
    copies: dict[str, dict[str, float]] = {clip: {} for clip in new}
    for pair in find_copies(Fingerprints(kind_of(domain).name, prints), len(before)):
        copies[order[pair.second]][order[pair.first]] = round(pair.score, 4)
    return tuple(
        replace(one, copies=copies[clip]) if clip in new else one
        for clip, one in zip(clips, features, strict=True)
    )


def pairs_of_copies(clips: Digests, features: Sequence[Features]) -> tuple[CopyPair, ...]:
    """Among these clips, by their places; the most alike first."""
    places = {clip: place for place, clip in enumerate(clips)}
    scores = {
        (min(place, places[other]), max(place, places[other])): score
        for place, one in enumerate(features)
        for other, score in (one.copies or {}).items()
        if other in places
    }
    found = sorted(scores.items(), key=lambda pair: -pair[1])
    return tuple(CopyPair(first, second, score) for (first, second), score in found)
