"""What is heard of a clip from people, once: its embedding by the champion, and its fingerprint.

What was heard before comes from the store, also of a clip that only a refused teach has heard, and
an embedding from the champion's memory, too. A copy of an exam clip is known by its fingerprint;
against a bundle that carries none, by its embedding, which tells copies without loss alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from data.datasets.dataset import Floats, LabelledClip, Reader
from data.domains.domain import Domain
from data.errors import InvalidParameter
from data.media.prepare import prepare
from data.quality.alike import Fingerprints
from data.quality.fingerprints import kind_of, likeness_to
from data.store.features import Features
from training.job.serving_champion import ChampionBundle

# Lossless copies come out above this, different recordings of the same thing below. No lower bound
# would do: two utterances of one digit by one speaker are as alike as a recording and its MP3, to
# embeddings and to correlated spectrograms (0.99 against 0.94 to 1.00) alike.
COPY_COSINE = 0.9995


@dataclass(frozen=True)
class Listener:
    """`known` by clip: what was heard before, with embeddings of the champion's backbone alone."""

    read: Reader
    domain: Domain
    champion: ChampionBundle | None
    known: Mapping[str, Features]

    def hear(self, clip: LabelledClip) -> Features:
        """Raises InvalidParameter for a copy of an exam clip, ClipError where nothing is heard."""
        before = self.known.get(clip.sha256, NOTHING)
        if before.embedding is not None:
            return before  # and it was no copy of a clip of this backbone's exam
        raw = self.read(clip)
        fingerprint = before.fingerprint
        if fingerprint is None:
            fingerprint = kind_of(self.domain).make(raw, self.domain)
        self._must_be_no_copy(fingerprint)
        return Features(self._embedding(clip, raw), fingerprint)

    def _embedding(self, clip: LabelledClip, raw: bytes) -> Floats | None:
        if self.champion is None:
            prepare(raw, self.domain)  # a clip that cannot be decoded is refused here
            return None
        if clip.sha256 in self.champion.remembered:
            return self.champion.remembered[clip.sha256]
        value = self.champion.embed(prepare(raw, self.champion.bundle.domain).features)
        others = self.champion.exam.by_clip
        _refuse(similarity(value.ravel(), others.reshape(len(others), -1)), COPY_COSINE)
        return value

    def _must_be_no_copy(self, fingerprint: bytes) -> None:
        if self._exam is not None:
            closest = likeness_to(fingerprint, self._exam, self.domain)
            _refuse(closest, kind_of(self.domain).copy)

    @cached_property
    def _exam(self) -> Fingerprints | None:
        return self.champion.bundle.exam_fingerprints() if self.champion else None


NOTHING = Features(None, None)


def _refuse(likeness: float, copy: float) -> None:
    if likeness >= copy:
        raise InvalidParameter(
            "it cannot be told from a clip of the exam, which must stay unseen "
            f"(likeness {likeness:.5f})"
        )


def similarity(value: Floats, others: Floats) -> float:
    """The largest cosine between an embedding [D] and others [n, D]; 0 without others."""
    norms = np.linalg.norm(others, axis=1) * np.linalg.norm(value)
    return float(np.max(others @ value / np.maximum(norms, 1e-12), initial=0.0))
