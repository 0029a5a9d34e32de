"""What clips sound like in the mean: the mean log-mel frame of each label, and its MFCCs."""

import numpy as np
import scipy.fft

from data.arrays import Doubles, Floats
from data.domains.domain import Domain
from data.domains.sections import LogMelSpec
from data.media.audio.features import FLOOR, mel_corners_hz

SILENT = np.log(FLOOR) + 1e-3  # what pads a short clip is below it in every mel bin
COEFFICIENTS = 13


def unpadded_frames(log_mel: Floats) -> Floats:
    """The frames [N, n_mels] of windows [windows, n_mels, frames] that are no padding."""
    frames = log_mel.transpose(0, 2, 1).reshape(-1, log_mel.shape[1])
    found: Floats = frames[(frames > SILENT).any(axis=1)]
    return found


def mfcc(log_mel: Doubles) -> Doubles:
    """[..., n_mels] -> [..., COEFFICIENTS]. The transform is linear: that of a mean of frames is
    the mean of their MFCCs."""
    found: Doubles = scipy.fft.dct(log_mel, type=2, norm="ortho")
    return found[..., :COEFFICIENTS]


def centres_hz(spec: LogMelSpec) -> Doubles:
    """Where each mel bin [n_mels] is most sensitive."""
    return mel_corners_hz(spec)[1:-1]


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
        frames = unpadded_frames(features)
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
