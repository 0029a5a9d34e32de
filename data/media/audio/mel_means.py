"""What clips sound like in the mean: log-mel frames that are heard, and their MFCCs."""

import numpy as np
import scipy.fft

from data.arrays import Doubles, Floats
from data.domains.sections import LogMelSpec
from data.media.audio.features import FLOOR, mel_corners_hz

SILENT = np.log(FLOOR) + 1e-3  # what pads a short clip is below it in every mel bin
COEFFICIENTS = 13


def heard(log_mel: Floats) -> Floats:
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
