"""What is wrong with the clips of a domain, as a list with the worst first.

Clips are compared with all others, those of the data set included: a copy of an exam clip is the
worst, since the exam would ask about what was learnt, then the same sound under two labels.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from data.database.schema import FlagKind
from data.datasets.dataset import LabelledClip, Reader
from data.domains.domain import Domain
from data.errors import ClipError, UnknownName
from data.quality.clip_checks import CheckedClip, Remark, check_sound
from data.quality.copy_pairs import CopyPair
from data.quality.fingerprints import kind_of
from data.quality.mask_checks import check_mask, shared

KINDS: tuple[FlagKind, ...] = (
    "exam_copy",
    "label_conflict",
    "mask",
    "copy",
    "unreadable",
    "silent",
    "clipped",
    "low_rate",
)


@dataclass(frozen=True)
class Finding:
    clip: LabelledClip
    remark: Remark


def check(
    clips: Sequence[LabelledClip],
    exam: Iterable[str],
    read: Reader,
    domain: Domain,
    advance: Callable[[int], object],
) -> list[Finding]:
    """The order of `clips` says who was there first: of two copies, the later one is named."""
    found: list[Finding] = []
    heard: list[tuple[LabelledClip, CheckedClip]] = []
    for clip in clips:
        try:
            heard.append((clip, CHECK[domain.modality](clip, read, domain)))
            found += [Finding(clip, remark) for remark in heard[-1][1].remarks]
        except (ClipError, UnknownName) as error:
            found.append(Finding(clip, Remark("unreadable", str(error), 1.0)))
        advance(1)
    examined = frozenset(exam)
    pairs = kind_of(domain).find_copies([one.fingerprint for _, one in heard], 0)
    found += [Finding(clip, remark) for clip, remark in shared(heard)]
    found += copies([clip for clip, _ in heard], pairs, examined)
    return sorted(found, key=lambda one: (KINDS.index(one.remark.kind), -one.remark.score))


def copies(
    clips: Sequence[LabelledClip], pairs: Sequence[CopyPair], exam: frozenset[str]
) -> list[Finding]:
    """One finding a clip and kind, of the copy that is most alike."""
    found: dict[tuple[str, FlagKind], Finding] = {}
    for pair in pairs:
        other, named = clips[pair.first], clips[pair.second]
        if named.sha256 in exam:
            other, named = named, other
        if remark := _remark(named, other, pair.score, exam):
            found.setdefault((named.sha256, remark.kind), Finding(named, remark))
    return list(found.values())


def _remark(
    named: LabelledClip, other: LabelledClip, score: float, exam: frozenset[str]
) -> Remark | None:
    if other.sha256 in exam and named.sha256 not in exam:
        return Remark("exam_copy", f"seems a copy of {other.name}, which is in the exam", score)
    if named.label and other.label and named.label != other.label:
        reason = f"seems a copy of {other.name}, which is labelled {other.label!r}"
        return Remark("label_conflict", reason, score)
    # Takes of one group stay on one side of a split; that they sound alike does no harm.
    if named.group == other.group:
        return None
    reason = f"seems a copy of {other.name}, and their groups differ (likeness {score:.2f})"
    return Remark("copy", reason, score)


# Each is given the domains of its own modality only, which their type cannot say.
CHECK: dict[str, Callable[[LabelledClip, Reader, Any], CheckedClip]] = {
    "audio": lambda clip, read, domain: check_sound(read(clip), domain),
    "image": check_mask,
}
