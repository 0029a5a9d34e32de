"""The mean log-mel frame of each label, taken while a bundle's clips are embedded."""

import numpy as np

from data.arrays import Doubles, Floats
from data.domains.domain import Domain
from data.media.audio.mel_means import heard


class LogMelMeans:
    """Sums of frames by label. Nothing of photographs, nor of a network that hears waveforms."""

    def __init__(self, domain: Domain) -> None:
        self.has_log_mel = len(domain.window) == 2  # mels and frames
        self._sums: dict[str, Doubles] = {}
        self._frames: dict[str, int] = {}

    def add(self, label: str, features: Floats) -> None:
        """`features` are a clip's, [windows, n_mels, frames]."""
        if not self.has_log_mel:
            return
        frames = heard(features)
        self._sums[label] = self._sums.get(label, 0.0) + frames.sum(axis=0, dtype=np.float64)
        self._frames[label] = self._frames.get(label, 0) + len(frames)

    def card_field(self) -> dict[str, list[float]] | None:
        """Label -> its mean frame [n_mels]; None where there are none."""
        found = {
            label: np.round(total / self._frames[label], 3).tolist()
            for label, total in sorted(self._sums.items())
            if self._frames[label]
        }
        return found or None
