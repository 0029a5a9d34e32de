"""What people sent, screened: the accepted clips that can be learnt from, and the others, each with
its reason."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data.arrays import Floats, Integers
from data.datasets.dataset import LabelledClip, MaskFile
from data.datasets.split import Exam
from data.domains.domain import Domain
from data.errors import ClipError, InvalidParameter, UnknownName
from data.quality.copy_pairs import CopyPair, pairs_among
from data.store.clips.clip_features import Features
from data.store.clips.clip_rows import Clip
from models.masks import ROWS
from training.assess.memory_rows import row_labels
from training.screening.clip_copies import pairs_of_copies, with_copies
from training.screening.clip_embedder import ClipEmbedder


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
    words, what was found out of each clip and those that are copies of each other. `sent` says who
    sent them when, as the store has it."""

    clips: tuple[LabelledClip, ...]
    values: Floats
    labels: Integers
    refused: tuple[Refusal, ...]
    features: tuple[Features, ...] = ()
    copies: tuple[CopyPair, ...] = ()
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
            tuple(self.features[place] for place in places if self.features),
            pairs_among(self.copies, places),
            tuple(clip for clip in self.sent if clip.sha256 not in out),
        )


NO_UPLOADS = Uploads((), np.zeros((0, 1, 0), np.float32), np.zeros((0, 1), np.int64), ())


def screen(accepted: Sequence[Clip], embedder: ClipEmbedder) -> Uploads:
    """Takes what can be learnt from; the embedder tells copies of exam clips."""
    domain = embedder.domain
    kept: list[LabelledClip] = []
    found: list[Features] = []
    labels: list[Integers] = []
    sent: list[Clip] = []
    refused: list[Refusal] = []
    for clip in accepted:
        candidate = None
        try:
            candidate = _candidate(clip, domain, embedder.exam.unseen)
            features = embedder.features(candidate)
            right = row_labels(candidate, embedder.read, domain)
        except (InvalidParameter, UnknownName, ClipError) as error:
            lost = candidate is not None and isinstance(error, UnknownName)
            refused.append(Refusal(clip.sha256, clip.label or "", str(error), not lost))
            continue
        kept.append(candidate)
        sent.append(clip)
        labels.append(right)
        found.append(features)
    values = [features.embedding for features in found if features.embedding is not None]
    rows = ROWS[domain.task]
    digests = [clip.sha256 for clip in kept]
    compared = with_copies(digests, found, embedder.known, domain)
    return Uploads(
        tuple(kept),
        np.stack(values) if values else np.zeros((0, rows, 0), np.float32),
        np.array(labels, np.int64).reshape(-1, rows),
        tuple(refused),
        compared,
        pairs_of_copies(digests, compared),
        tuple(sent),
    )


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
