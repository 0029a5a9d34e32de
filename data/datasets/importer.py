"""Labelled clips from disk into the store: each file with its own outcome.

Much as with uploads, what cannot be heard or seen, has no label of the domain, lacks the
mask that its label needs or is a clip of the exam is refused alone, and the same bytes twice are
one clip, so an import may be run again. Clips are stored by the batch; one that is interrupted has
stored whole clips only.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal

from data.database.schema import HeldFor
from data.datasets.listing import Listed
from data.datasets.split import Exam, validation_mask
from data.domains.domain import Domain
from data.errors import Conflict, TelltaleError, UndecodableClip
from data.media.prepare import prepare
from data.store.clips.clip_rows import NewClip
from data.store.review.annotations import MASKED, Annotation, checked_annotation
from data.store.store import Store

BATCH = 50  # clips a transaction; the clips of a batch are in memory together
NEEDS_MASK = "it needs a mask, in the column 'mask' of a CSV or JSON list"

Done = Literal["accepted", "duplicate", "left out", "refused"]


@dataclass(frozen=True)
class ImportOutcome:
    name: str
    label: str
    done: Done
    reason: str = ""


Keep = Callable[[Sequence[NewClip]], list[bool | Conflict]]
Seen = dict[str, tuple[Listed, tuple[str, str]]]  # by sha256: what was said, see _told


def import_clips(
    listed: Sequence[Listed], domain: Domain, exam: Exam, keep: Keep
) -> Iterator[ImportOutcome]:
    """One outcome a file, in order; `keep` says of each clip whether it is new."""
    seen: Seen = {}
    tested = {row.group for row in listed if row.group and row.split == "test"}
    exam = replace(exam, groups=exam.groups | tested)
    rows = (_check(row, domain, exam, seen) for row in listed)
    while batch := list(islice(rows, BATCH)):
        news = [found for _, found in batch if isinstance(found, NewClip)]
        kept = iter(keep(news))
        for row, found in batch:
            yield found if isinstance(found, ImportOutcome) else _stored(row, found, next(kept))


def with_validation(listed: Sequence[Listed], domain: Domain, fraction: float) -> list[Listed]:
    """A share of what is to be learnt held out, whole groups only, beside what the list holds out
    itself; raises InvalidParameter where nothing can be."""
    open_ = [row for row in listed if _likely(row, domain) in domain.labels and row.split != "test"]
    groups = [row.group or row.name for row in open_]
    said = {
        group: True for group, row in zip(groups, open_, strict=True) if row.split == "validation"
    }
    labels = [_likely(row, domain) for row in open_]
    held = validation_mask(labels, groups, fraction, domain.training.seed, said)
    sides: dict[str, HeldFor] = {
        row.name: "validation" if is_held else "train"
        for row, is_held in zip(open_, held, strict=True)
    }
    return [replace(row, split=sides.get(row.name, row.split)) for row in listed]


def store_in(store: Store, who: str) -> Keep:
    def keep(news: Sequence[NewClip]) -> list[bool | Conflict]:
        added = store.clips.add_many(news, who=who)
        return [one if isinstance(one, Conflict) else one[1] for one in added]

    return keep


def dry_run_in(store: Store | None, who: str) -> Keep:
    """Nothing is written; without a store, every clip is new."""

    def keep(news: Sequence[NewClip]) -> list[bool | Conflict]:
        return [True if store is None else _dry_run(store, new, who) for new in news]

    return keep


def _dry_run(store: Store, new: NewClip, who: str) -> bool | Conflict:
    try:
        return store.clips.would_add(new, who=who)
    except Conflict as conflict:
        return conflict


def _likely(row: Listed, domain: Domain) -> str:
    """The label before anybody looked at the mask. Where a list names none, a photograph without
    a mask shows nothing of what is sought, as in `layout: masks` of data sets."""
    if row.label or domain.task not in MASKED:
        return row.label
    ground, sought = domain.labels
    return sought if row.mask else ground


def _check(
    row: Listed, domain: Domain, exam: Exam, seen: Seen
) -> tuple[Listed, NewClip | ImportOutcome]:
    if row.split == "test":
        return row, ImportOutcome(
            row.name, row.label, "left out", "its split is test: not to be learnt"
        )
    try:
        said = _said(row, domain)
        raw = _read(row.path, domain.limits.max_bytes)
        sha256 = hashlib.sha256(raw).hexdigest()
        if sha256 in exam.clips:
            raise Conflict("it is a clip of the exam that models are judged by")
        if row.group in exam.groups:
            raise Conflict(f"clips of its group {row.group!r} are in the exam or a test split")
        if sha256 in seen:
            return row, _again(row, _told(said), *seen[sha256])
        new = _new_clip(raw, row, said, domain)
        seen[sha256] = row, _told(said)
        return row, new
    except TelltaleError as error:
        return row, ImportOutcome(row.name, row.label, "refused", str(error))


def _said(row: Listed, domain: Domain) -> Annotation:
    if row.mask is None:
        return checked_annotation(_likely(row, domain) or None, None, domain, NEEDS_MASK)
    mask = _read(row.mask, domain.limits.max_bytes, "mask")
    return checked_annotation(row.label or None, mask, domain, NEEDS_MASK)


def _read(path: Path, max_bytes: int, what: str = "file") -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(max_bytes + 1)
    except OSError as error:
        raise UndecodableClip(f"the {what} cannot be read: {error.strerror}") from error


def _told(said: Annotation) -> tuple[str, str]:
    """The label and the digest of the mask: thousands of masks would fill memory."""
    return said.label, hashlib.sha256(said.mask or b"").hexdigest()


def _again(
    row: Listed, told: tuple[str, str], first: Listed, told_first: tuple[str, str]
) -> ImportOutcome:
    same = f"the same bytes as {first.name}"
    if told == told_first:
        return ImportOutcome(row.name, told[0], "duplicate", same)
    if told[0] == told_first[0]:
        return ImportOutcome(row.name, told[0], "refused", f"{same}, which has another mask")
    return ImportOutcome(
        row.name, told[0], "refused", f"{same}, which is labelled {told_first[0]!r}"
    )


def _new_clip(raw: bytes, row: Listed, said: Annotation, domain: Domain) -> NewClip:
    prepared = prepare(raw, domain)
    said.must_fit(prepared)
    return NewClip(
        raw,
        domain=domain.name,
        label=said.label,
        group=row.group,
        state="accepted",
        source="import",
        duration_s=prepared.duration_s,
        sample_rate_hz=prepared.sample_rate_hz,
        split=row.split if row.split != "test" else None,
        mask=said.mask,
    )


def _stored(row: Listed, found: NewClip, new: bool | Conflict) -> ImportOutcome:
    label = found.label or row.label
    if isinstance(new, Conflict):
        return ImportOutcome(row.name, label, "refused", str(new))
    return ImportOutcome(row.name, label, "accepted" if new else "duplicate")
