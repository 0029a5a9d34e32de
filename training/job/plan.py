"""What a run will learn from: which clips, on which side of the split, and which not, and why.

The exam is the data set's own test side and nothing else. Whatever people upload was compared with
it first (`training/screening/`).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from data.arrays import Bools
from data.datasets.dataset import (
    LabelledClip,
    from_example,
    pinned_groups,
)
from data.datasets.split import held_out
from data.domains.domain import Domain
from data.errors import InvalidDomain
from models.networks.backbone import backbone_of
from training.screening.exam_guard import dataset_rows
from training.screening.groups import correction_groups
from training.screening.uploads import Refusal, Uploads


@dataclass(frozen=True)
class Plan:
    """`held_out` [clips] marks validation; teaching has no exam clips of its own."""

    clips: tuple[LabelledClip, ...]
    held_out: Bools
    exam: tuple[LabelledClip, ...]
    refused: tuple[Refusal, ...]


def plan_full(domain: Domain, dataset: Path | None, uploads: Uploads) -> Plan:
    """The data set's train side and the uploads, split by group; its test side as the exam. What a
    pretrained backbone has learnt is learnt again, and never validates."""
    rows = dataset_rows(domain, dataset)
    exam = tuple(from_example(row) for row in rows if row.split == "test")
    ours = [from_example(row) for row in rows if row.split == "train"]
    sent = _grouped(uploads)
    corrected = {clip.sha256: clip for clip in sent}
    known = {clip.sha256 for clip in ours}
    exam_ids = {clip.sha256 for clip in exam}
    clips = [_relabelled(clip, corrected) for clip in ours if clip.sha256 not in exam_ids]
    clips += [clip for clip in sent if clip.sha256 not in known]
    learnt = _learnt_before(domain, [*clips, *exam])
    pinned = dict.fromkeys(learnt, False) | pinned_groups(clips)
    held = held_out(clips, domain.training, pinned)
    judges = [*exam, *(clip for clip, is_held in zip(clips, held, strict=True) if is_held)]
    _must_be_unheard(domain, learnt & {clip.group for clip in judges})
    return Plan(tuple(clips), held, exam, uploads.refused)


def _grouped(uploads: Uploads) -> list[LabelledClip]:
    """What people sent, in the groups that a split must not part."""
    if not uploads.sent:
        return list(uploads.clips)
    names = correction_groups(uploads.sent, uploads.copies)
    return [replace(clip, group=name) for clip, name in zip(uploads.clips, names, strict=True)]


def _learnt_before(domain: Domain, clips: Iterable[LabelledClip]) -> set[str]:
    backbone = backbone_of(domain)
    return backbone.has_learnt(clip.group for clip in clips) if backbone else set()


def _must_be_unheard(domain: Domain, groups: set[str]) -> None:
    if groups:
        raise InvalidDomain(
            f"{domain.name} cannot start from the backbone that training.start_from names: it has "
            f"learnt {len(groups)} groups of the exam or of validation, as {min(groups)!r}; name "
            "another, or pretrain it without them"
        )


def describe(plan: Plan, domain: Domain) -> list[str]:
    """Lines for people: counts per label and split, groups, and what was refused."""
    sides = {
        "train": [c for c, held in zip(plan.clips, plan.held_out, strict=True) if not held],
        "validation": [c for c, held in zip(plan.clips, plan.held_out, strict=True) if held],
        "exam": list(plan.exam),
    }
    counts = {side: Counter(clip.label for clip in clips) for side, clips in sides.items()}
    width = max(len(label) for label in domain.labels) + 2
    lines = [" " * width + "".join(f"{side:>12}" for side in sides)]
    lines += [_row(label, counts, width) for label in domain.labels]
    lines += ["clips".ljust(width) + "".join(f"{len(clips):>12}" for clips in sides.values())]
    groups = [len({clip.group for clip in clips}) for clips in sides.values()]
    lines += ["groups".ljust(width) + "".join(f"{number:>12}" for number in groups)]
    uploaded = sum(clip.source.startswith("upload:") for clip in plan.clips)
    return [*lines, f"{uploaded} of the clips came from people", *_refusals(plan.refused)]


def describe_teaching(uploads: Uploads, domain: Domain) -> list[str]:
    counts = Counter(clip.label for clip in uploads.clips)
    width = max(len(label) for label in domain.labels) + 2
    lines = [" " * width + f"{'from people':>12}"]
    lines += [label.ljust(width) + f"{counts[label]:>12}" for label in domain.labels]
    return [*lines, *_refusals(uploads.refused)]


def _refusals(refused: Sequence[Refusal]) -> list[str]:
    lines = [f"{len(refused)} clips from people are refused"]
    return lines + [f"  {item.sha256[:12]} ({item.label}): {item.reason}" for item in refused]


def _row(label: str, counts: Mapping[str, Counter[str]], width: int) -> str:
    return label.ljust(width) + "".join(f"{side[label]:>12}" for side in counts.values())


def _relabelled(clip: LabelledClip, corrected: Mapping[str, LabelledClip]) -> LabelledClip:
    """People know better than the data set; the group stays, so that no copy crosses the split."""
    better = corrected.get(clip.sha256)
    if better is None:
        return clip
    return replace(better, group=clip.group, path=clip.path)
