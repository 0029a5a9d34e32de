"""Which corrections hang together: what stands or falls as one when they are judged.

Ten takes of one machine in one afternoon are one witness, not ten. Whoever leaves corrections out
to see what the others teach must leave them out by group, and so must a split.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta

import numpy as np

from data.arrays import Doubles
from data.quality.copy_pairs import CopyPair
from data.store.clips.clip_rows import Clip

SESSION = timedelta(hours=1)


def correction_groups(clips: Sequence[Clip], pairs: Sequence[CopyPair]) -> tuple[str, ...]:
    """A name for each: the clip's own group; else that of its near copies, which is the group of
    one of them where one has any; else that of its contributor's session, clips of which no one
    came more than an hour after the one before. What was imported is a list and no session."""
    names: list[str | None] = [clip.group for clip in clips]
    for members in _components(len(clips), pairs):
        if len(members) > 1:
            given = next((names[place] for place in members if names[place]), None)
            for place in members:
                names[place] = names[place] or given or f"copies:{clips[members[0]].sha256}"
    alone = [place for place, name in enumerate(names) if not name]
    for session in _sessions(clips, [x for x in alone if clips[x].source != "import"]):
        for place in session:
            names[place] = f"session:{clips[session[0]].sha256}"
    return tuple(name or clip.sha256 for name, clip in zip(names, clips, strict=True))


def copy_weights(labels: Sequence[str], pairs: Sequence[CopyPair]) -> Doubles:
    """[n]: near copies with the same label count once together."""
    weights = np.ones(len(labels))
    same = [pair for pair in pairs if labels[pair.first] == labels[pair.second]]
    for members in _components(len(labels), same):
        weights[members] = 1 / len(members)
    return weights


def _components(count: int, pairs: Sequence[CopyPair]) -> Iterable[list[int]]:
    """Places that pairs connect, in order; one that is in no pair stands alone."""
    members = {place: [place] for place in range(count)}
    for pair in pairs:
        one, other = members[pair.first], members[pair.second]
        if one is not other:
            one += other
            members |= dict.fromkeys(other, one)
    return [sorted(one) for place, one in members.items() if place == min(one)]


def _sessions(clips: Sequence[Clip], places: Sequence[int]) -> Iterable[list[int]]:
    found: list[list[int]] = []
    for place in sorted(places, key=lambda one: (clips[one].who, clips[one].created_at)):
        before = clips[found[-1][-1]] if found else None
        clip = clips[place]
        if (
            before is not None
            and before.who == clip.who
            and clip.created_at - before.created_at <= SESSION
        ):
            found[-1].append(place)
        else:
            found.append([place])
    return found
