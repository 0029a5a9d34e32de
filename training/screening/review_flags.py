"""What is kept and flagged of clips that a run meets for the first time.

Flags are for whoever reviews the clips: copies of clips that are kept already, and labels that a
copy or a champion that is sure contradicts. They change nothing by themselves.
"""

from collections.abc import Mapping

import numpy as np

from data.arrays import Floats
from data.quality.checks import copies
from data.quality.clip_checks import Remark, contradiction
from data.quality.copy_pairs import CopyPair, pairs_among
from data.store.clips.clip_features import Features
from data.store.review.flags import Found
from data.store.store import Store
from models.card import BACKBONE
from models.runtime import Scores
from training.screening.serving_champion import ChampionBundle
from training.screening.uploads import Uploads

NO_FRAMES: Floats = np.zeros((0, 0, 0), np.float32)


def backbone_of(champion: ChampionBundle) -> str:
    """The sha256 of its network's file."""
    return champion.bundle.card.files[BACKBONE]


def keep_features(
    store: Store, domain: str, champion: ChampionBundle, uploads: Uploads, new: list[int]
) -> None:
    """Of the clips at the places `new`."""
    found = {uploads.clips[place].sha256: uploads.features[place] for place in new}
    if found:
        store.features.put(domain, backbone_of(champion), found)


def newly_found(uploads: Uploads, known: Mapping[str, Features]) -> list[int]:
    """The places of the clips of which anything was found out that was not known."""
    return [
        place
        for place, (clip, found) in enumerate(zip(uploads.clips, uploads.features, strict=True))
        if found is not known.get(clip.sha256)
    ]


def review_flags(uploads: Uploads, new: list[int], champion: ChampionBundle | None) -> list[Found]:
    """Of the clips at the places `new`, against all others and the champion."""
    remarks = _of_copies(uploads, new)
    if champion:
        for place in new:
            if remark := _of_champion(champion, uploads, place):
                remarks.append((uploads.clips[place].sha256, remark))
    return [one.flag(sha256) for sha256, one in remarks]


def _of_copies(uploads: Uploads, new: list[int]) -> list[tuple[str, Remark]]:
    old = sorted(set(range(len(uploads.clips))) - set(new))
    order = [*old, *new]  # of a pair the second is flagged
    pairs = [
        pair
        for pair in (_in_order(each) for each in pairs_among(uploads.copies, order))
        if pair.second >= len(old)
    ]
    found = copies([uploads.clips[place] for place in order], pairs, frozenset())
    return [(one.clip.sha256, one.remark) for one in found]


def _in_order(pair: CopyPair) -> CopyPair:
    first, second = sorted((pair.first, pair.second))
    return CopyPair(first, second, pair.score)


def _of_champion(champion: ChampionBundle, uploads: Uploads, place: int) -> Remark | None:
    clip, values, model = uploads.clips[place], uploads.values[place], champion.model
    if len(values) != 1:  # pixels of a photograph, of which none is asserted
        return None
    logits = model.head.logits(values[0])
    probabilities = model.probabilities(logits)
    reason = model.why_unknown(values[0], probabilities)
    scores = Scores(logits, probabilities, values[0], NO_FRAMES, model, unknown_reason=reason)
    return contradiction(scores.asserted, model.labels[scores.best], scores.confidence, clip.label)
