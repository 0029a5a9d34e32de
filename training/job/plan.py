"""What a run will learn from: which clips, on which side of the split, and which not, and why.

The exam is the data set's own test side and nothing else. Whatever people upload is compared with
it first: the same bytes are refused, and so are copies of an exam clip (`hearing.py`).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.datasets.dataset import (
    Floats,
    Integers,
    LabelledClip,
    MaskFile,
    from_example,
    pinned_groups,
)
from data.datasets.sources import Example, examples
from data.datasets.split import Exam, held_out
from data.domains.domain import Domain, Mode
from data.errors import ClipError, InvalidDomain, InvalidParameter, UnknownName
from data.quality.alike import Alike, Fingerprints, among
from data.quality.fingerprints import find_alike, kind_of
from data.store.clip_rows import Clip
from data.store.features import Features
from models.masks import ROWS
from models.networks.backbone import backbone_of
from training.assess.memory_rows import row_labels
from training.job.hearing import Listener


@dataclass(frozen=True)
class Refusal:
    """`for_good` unless its bytes were merely not to be found."""

    sha256: str
    label: str
    reason: str
    for_good: bool


@dataclass(frozen=True)
class Uploads:
    """Accepted clips fit for training, the champion's embeddings of them [n, rows, D] (empty
    without a champion) with the right label of each row [n, rows], the others with the reason in
    words, the clips' fingerprints and those that are copies of each other. `sent` says who sent
    them when, as the store has it."""

    clips: tuple[LabelledClip, ...]
    values: Floats
    labels: Integers
    refused: tuple[Refusal, ...]
    fingerprints: Fingerprints | None = None
    alike: tuple[Alike, ...] = ()
    sent: tuple[Clip, ...] = ()

    def without(self, refused: Sequence[Refusal]) -> "Uploads":
        """Less the clips of these refusals, which are added to the others."""
        out = {refusal.sha256 for refusal in refused}
        places = [place for place, clip in enumerate(self.clips) if clip.sha256 not in out]
        return Uploads(
            tuple(self.clips[place] for place in places),
            self.values[places],
            self.labels[places],
            (*self.refused, *refused),
            self.fingerprints and self.fingerprints.at(places),
            among(self.alike, places),
            tuple(clip for clip in self.sent if clip.sha256 not in out),
        )


NO_UPLOADS = Uploads((), np.zeros((0, 1, 0), np.float32), np.zeros((0, 1), np.int64), ())


@dataclass(frozen=True)
class Plan:
    """`held_out` [clips] marks validation; teaching has no exam clips of its own."""

    clips: tuple[LabelledClip, ...]
    held_out: NDArray[np.bool_]
    exam: tuple[LabelledClip, ...]
    refused: tuple[Refusal, ...]


def screen(accepted: Sequence[Clip], exam: Exam, listener: Listener) -> Uploads:
    """Takes what can be learnt from; the listener tells copies of exam clips."""
    domain, champion = listener.domain, listener.champion
    of_champion = frozenset(champion.exam.clip_ids) if champion else frozenset()
    forbidden = Exam(exam.clips | of_champion, exam.groups)
    kept: list[LabelledClip] = []
    heard: list[Features] = []
    labels: list[Integers] = []
    sent: list[Clip] = []
    refused: list[Refusal] = []
    for clip in accepted:
        candidate = None
        try:
            candidate = _candidate(clip, domain, forbidden)
            features = listener.hear(candidate)
            right = row_labels(candidate, listener.read, domain)
        except (InvalidParameter, UnknownName, ClipError) as error:
            lost = candidate is not None and isinstance(error, UnknownName)
            refused.append(Refusal(clip.sha256, clip.label or "", str(error), not lost))
            continue
        kept.append(candidate)
        sent.append(clip)
        labels.append(right)
        heard.append(features)
    values = [features.embedding for features in heard if features.embedding is not None]
    rows = ROWS[domain.task]
    prints = Fingerprints(kind_of(domain).name, tuple(one.fingerprint or b"" for one in heard))
    return Uploads(
        tuple(kept),
        np.stack(values) if values else np.zeros((0, rows, 0), np.float32),
        np.array(labels, np.int64).reshape(-1, rows),
        tuple(refused),
        prints,
        tuple(find_alike(prints)),
        tuple(sent),
    )


def plan_full(domain: Domain, dataset: Path | None, uploads: Uploads) -> Plan:
    """The data set's train side and the uploads, split by group; its test side as the exam. What a
    pretrained backbone has learnt is learnt again, and never validates."""
    rows = dataset_rows(domain, dataset)
    exam = tuple(from_example(row) for row in rows if row.split == "test")
    ours = [from_example(row) for row in rows if row.split == "train"]
    corrected = {clip.sha256: clip for clip in uploads.clips}
    known = {clip.sha256 for clip in ours}
    exam_ids = {clip.sha256 for clip in exam}
    clips = [_relabelled(clip, corrected) for clip in ours if clip.sha256 not in exam_ids]
    clips += [clip for clip in uploads.clips if clip.sha256 not in known]
    learnt = _learnt_before(domain, [*clips, *exam])
    pinned = dict.fromkeys(learnt, False) | pinned_groups(clips)
    held = held_out(clips, domain.training, pinned)
    judges = [*exam, *(clip for clip, is_held in zip(clips, held, strict=True) if is_held)]
    _must_be_unheard(domain, learnt & {clip.group for clip in judges})
    return Plan(tuple(clips), held, exam, uploads.refused)


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


def dataset_rows(domain: Domain, dataset: Path | None) -> list[Example]:
    if dataset is None:
        raise InvalidParameter(
            "a full retrain needs the data set: name the folder that holds it in "
            "TELLTALE_DATASETS (teaching needs none: --mode teach)"
        )
    return examples(domain, dataset)


def exam_of(domain: Domain, dataset: Path | None, mode: Mode) -> Exam:
    """The test side, for a full retrain; teaching sits the exam its champion carries, and must not
    depend on what lies on this machine."""
    if mode == "teach":
        return Exam(frozenset(), frozenset())
    rows = [row for row in dataset_rows(domain, dataset) if row.split == "test"]
    clips = frozenset(from_example(row).sha256 for row in rows)
    return Exam(clips, frozenset(row.group for row in rows))


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


def _candidate(clip: Clip, domain: Domain, exam: Exam) -> LabelledClip:
    if clip.label is None:
        raise InvalidParameter("nobody has said yet what it is")
    domain.label_index(clip.label)
    if clip.sha256 in exam.clips:
        raise InvalidParameter("it is a clip of the exam, which must stay unseen")
    if clip.group in exam.groups:
        raise InvalidParameter(f"its group {clip.group!r} is in the exam, which must stay unseen")
    group = clip.group or clip.sha256
    mask = MaskFile(clip.mask, None) if clip.mask else None
    source = f"upload:{clip.label}"
    return LabelledClip(clip.sha256, clip.label, group, source, None, mask, clip.split)


def _relabelled(clip: LabelledClip, corrected: Mapping[str, LabelledClip]) -> LabelledClip:
    """People know better than the data set; the group stays, so that no copy crosses the split."""
    better = corrected.get(clip.sha256)
    if better is None:
        return clip
    return replace(better, group=clip.group, path=clip.path)
