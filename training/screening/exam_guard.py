"""What nobody may learn from: the exam's clips, their copies, and whatever shares their groups.

A teach sits the exam that its champion carries, with the fingerprints of its clips. A full training
makes its exam of the data set's test rows, so of those that no champion knows fingerprints are made
before anything is learnt. Which groups the exam has is known from the data set alone: bundles carry
no names of people and places.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from data.datasets.dataset import LabelledClip, from_example, naming, read_file
from data.datasets.sources import Example, examples
from data.datasets.split import Exam
from data.domains.domain import Domain, Mode
from data.errors import Conflict, InvalidParameter, TelltaleError
from data.quality.copy_pairs import Fingerprints
from data.quality.fingerprints import kind_of, likeness_to
from data.store.clips.clip_features import Features
from models.card import FINGERPRINTS
from training.screening.serving_champion import ChampionBundle


@dataclass(frozen=True)
class ExamGuard:
    """Clips by digest and groups by name (`knows_groups` unless nobody here can say), and the
    fingerprints of the exam: those that the champion's bundle has `carried`, with the sha256 of
    their file, and those `made` of test rows that it has none of."""

    domain: Domain
    unseen: Exam
    knows_groups: bool = True
    carried: Fingerprints | None = None
    digest: str | None = None
    made: Fingerprints | None = None

    def checked(self, found: Features) -> Features:
        """Notes what it was compared with, so that it is not again; raises InvalidParameter for a
        copy."""
        assert found.fingerprint is not None, "copies are known by their fingerprints"
        if self.made is not None:
            self._refuse(found.fingerprint, self.made)
        if self.carried is None or found.exam == self.digest:
            return found
        self._refuse(found.fingerprint, self.carried)
        return replace(found, exam=self.digest)

    def _refuse(self, fingerprint: bytes, others: Fingerprints) -> None:
        likeness = likeness_to(fingerprint, others, self.domain)
        refuse_copy(likeness, kind_of(self.domain).copy)

    @property
    def unchecked(self) -> list[str]:
        """What cannot be compared with the exam, in words, and how that is mended."""
        found = []
        if self.carried is None and self.made is None:
            found.append(
                "not checked: whether a clip is a copy of one of the exam, but for lossless "
                "copies; the champion carries no fingerprints of its exam, which telltale "
                f"fingerprint {self.domain.name} adds, and so does a full training"
            )
        if not self.knows_groups:
            found.append(
                "not checked: whether a clip's group is one of the exam's; the data set, which "
                "knows them, is not on this machine (see TELLTALE_DATASETS)"
            )
        return found


def refuse_copy(likeness: float, copy: float) -> None:
    if likeness >= copy:
        raise InvalidParameter(
            "it cannot be told from a clip of the exam, which must stay unseen "
            f"(likeness {likeness:.5f})"
        )


def exam_guard(
    domain: Domain,
    dataset: Path | None,
    examined: Sequence[LabelledClip],
    champion: ChampionBundle | None,
) -> ExamGuard:
    """Raises InvalidParameter for an examined clip that cannot be decoded."""
    groups = _examined_groups(domain, dataset)
    of_champion = frozenset(champion.exam.clip_ids) if champion else frozenset()
    carried = champion.bundle.exam_fingerprints() if champion else None
    known = of_champion if carried else frozenset()
    missing = [clip for clip in examined if clip.sha256 not in known]
    made = Fingerprints(kind_of(domain).name, tuple(_print(clip, domain) for clip in missing))
    return ExamGuard(
        domain,
        Exam(of_champion | {clip.sha256 for clip in examined}, groups or frozenset()),
        groups is not None,
        carried,
        champion.bundle.card.files[FINGERPRINTS] if champion and carried else None,
        made if missing else None,
    )


def _print(clip: LabelledClip, domain: Domain) -> bytes:
    with naming(clip):
        return kind_of(domain).make(read_file(clip), domain)


def examined_clips(domain: Domain, dataset: Path | None, mode: Mode) -> tuple[LabelledClip, ...]:
    """Those that a full retrain will be judged by; teaching sits the exam of its champion. Raises
    InvalidParameter where a full retrain has no data set."""
    if mode == "teach":
        return ()
    return tuple(from_example(row) for row in dataset_rows(domain, dataset) if row.split == "test")


def _examined_groups(domain: Domain, dataset: Path | None) -> frozenset[str] | None:
    """None where the data set is not here."""
    with suppress(TelltaleError):
        rows = dataset_rows(domain, dataset)
        return frozenset(row.group for row in rows if row.split == "test")
    return None


def clips_of_exam(
    ids: Sequence[str], rows: Sequence[Example], domain: Domain
) -> list[LabelledClip]:
    """The clips of these digests, in their order; raises Conflict where the data set lacks one."""
    known = {clip.sha256: clip for clip in map(from_example, rows)}
    if missing := [sha256 for sha256 in ids if sha256 not in known]:
        raise Conflict(
            f"the data set of {domain.name} lacks {len(missing)} of the {len(ids)} clips of this "
            "bundle's exam; it must be the one that the bundle was trained on"
        )
    return [known[sha256] for sha256 in ids]


def dataset_rows(domain: Domain, dataset: Path | None) -> list[Example]:
    if dataset is None:
        raise InvalidParameter(
            "a full retrain needs the data set: name the folder that holds it in "
            "TELLTALE_DATASETS (teaching needs none: --mode teach)"
        )
    return examples(domain, dataset)
