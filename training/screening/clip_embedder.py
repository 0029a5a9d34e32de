"""What is found out of a clip from people, once: its fingerprint and its embedding.

What was found before comes from the store, also of a clip that only a refused teach has had, and
an embedding from the champion's memory, too. A copy of an exam clip is known by its fingerprint;
against an exam that has none, by its embedding, which tells copies without loss alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from data.arrays import Floats
from data.datasets.dataset import LabelledClip, Reader
from data.domains.domain import Domain
from data.media.prepare import prepare
from data.quality.fingerprints import kind_of
from data.store.clips.clip_features import Features
from training.screening.exam_guard import ExamGuard, refuse_copy
from training.screening.serving_champion import ChampionBundle

# Lossless copies come out above this, different recordings of the same thing below. No lower bound
# would do: two utterances of one digit by one speaker are as alike as a recording and its MP3, to
# embeddings and to correlated spectrograms (0.99 against 0.94 to 1.00) alike.
COPY_COSINE = 0.9995


@dataclass(frozen=True)
class ClipEmbedder:
    """`known` by clip: what was found before, with embeddings of the champion's backbone alone."""

    read: Reader
    domain: Domain
    champion: ChampionBundle | None
    known: Mapping[str, Features]
    exam: ExamGuard

    def features(self, clip: LabelledClip) -> Features:
        """What is `known`, the same object, where nothing was lacking. Raises InvalidParameter for
        a copy of an exam clip, ClipError where nothing is heard."""
        found = self.known.get(clip.sha256, NOTHING)
        whole = found.embedding is not None and found.fingerprint is not None
        raw = b"" if whole else self.read(clip)
        if found.fingerprint is None:
            found = replace(found, fingerprint=kind_of(self.domain).make(raw, self.domain))
        found = self.exam.checked(found)
        if found.embedding is None:
            found = replace(found, embedding=self._embedding(clip, raw))
        return found

    def _embedding(self, clip: LabelledClip, raw: bytes) -> Floats | None:
        if self.champion is None:
            prepare(raw, self.domain)  # a clip that cannot be decoded is refused here
            return None
        if clip.sha256 in self.champion.remembered:
            return self.champion.remembered[clip.sha256]
        value = self.champion.embed(prepare(raw, self.champion.bundle.domain).features)
        others = self.champion.exam.by_clip
        refuse_copy(similarity(value.ravel(), others.reshape(len(others), -1)), COPY_COSINE)
        return value


NOTHING = Features(None, None)


def similarity(value: Floats, others: Floats) -> float:
    """The largest cosine between an embedding [D] and others [n, D]; 0 without others."""
    norms = np.linalg.norm(others, axis=1) * np.linalg.norm(value)
    return float(np.max(others @ value / np.maximum(norms, 1e-12), initial=0.0))
