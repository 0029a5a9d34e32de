"""Waveform -> what the network is given: the one implementation, for training and for serving.

That is the log-mel, or the waveform itself for a network that has learnt to hear. The log-mel has
the same numbers as torchaudio's `MelSpectrogram` (power 2, centred frames with reflected edges, the
domain's mel scale, no normalisation) followed by log(x + 1e-6), in float32 throughout. The trick is
to work through the frames in blocks that stay in the cache and never leave their place: FFTPACK's
transform puts the real and imaginary parts side by side where the samples were, they are squared
there, and a filterbank with each row twice adds them up.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import scipy.fftpack
from numpy.lib.stride_tricks import sliding_window_view

from data.arrays import Doubles, Floats
from data.domains.domain import AudioDomain
from data.domains.sections import AudioInput, LogMelSpec

FLOOR = np.float32(1e-6)
LANES = 4  # scipy transforms this many float32 frames in one go
BLOCK_BYTES = 256 * 1024  # of frames: few calls, and still in the CPU's second cache
MELS_AT_ONCE = 16  # neighbouring filters overlap; a filterbank is zero everywhere else
TAIL = 0.02  # a tail shorter than this share of the window is not worth another pass


def windows(samples: Floats, spec: AudioInput) -> Floats:
    """Cuts a recording [T] into what the network hears at once, [windows, window_samples].

    A short recording stands in the middle of silence. A long one is cut every `hop_s`, and the
    last window ends where the recording ends. Codecs add some milliseconds to a clip: a tail
    that short gets no window of its own.
    """
    length, hop = spec.window_samples, spec.hop_samples
    spare = len(samples) - length
    if spare < 0:
        before = -spare // 2
        return np.pad(samples, (before, -spare - before))[np.newaxis]
    starts = list(range(0, spare + 1, hop))
    if spare - starts[-1] > TAIL * length:
        starts.append(spare)
    if len(starts) == 1:
        return samples[np.newaxis, :length]
    return np.stack([samples[start : start + length] for start in starts])


class LogMel:
    def __init__(self, features: LogMelSpec, sample_rate_hz: int) -> None:
        self.n_fft = features.n_fft
        self.hop_length = features.hop_length
        self.n_mels = features.n_mels
        self._hann = _hann(self.n_fft)
        bins = (np.arange(self.n_fft) + 1) // 2  # of what FFTPACK gives: 0, 1, 1, 2, 2, ...
        self._filters = _without_zeros(_filterbank(features, sample_rate_hz)[bins])
        self._block = max(LANES, BLOCK_BYTES // (4 * self.n_fft) // LANES * LANES)

    def __call__(self, waveform: Floats) -> Floats:
        """[..., T] -> [..., n_mels, T // hop_length + 1]; T must exceed n_fft // 2."""
        length = waveform.shape[-1]
        assert length > self.n_fft // 2, f"{length} samples are too few for n_fft {self.n_fft}"
        rows = waveform.reshape(-1, length)
        out = np.empty((len(rows), self.n_mels, length // self.hop_length + 1), np.float32)
        for row, log_mel in zip(rows, out, strict=True):
            mel = self._mel(row)
            mel += FLOOR
            np.log(mel.T, out=log_mel)
        return out.reshape(*waveform.shape[:-1], *out.shape[1:])

    def _mel(self, samples: Floats) -> Floats:
        """Mel power [frames, n_mels] of one waveform [T]."""
        padded = _reflect(samples, self.n_fft // 2)
        frames = sliding_window_view(padded, self.n_fft)[:: self.hop_length]
        mel = np.empty((len(frames), self.n_mels), np.float32)
        scratch = np.empty((self._block, self.n_fft), np.float32)
        for start in range(0, len(frames), self._block):
            block = frames[start : start + self._block]
            power = scratch[: len(block)]
            power[:] = block  # and then multiplied: numpy takes longer to do both at once
            power *= self._hann
            power = scipy.fftpack.rfft(power, axis=-1, overwrite_x=True)
            np.square(power, out=power)
            for bins, mels, weights in self._filters:
                np.matmul(power[:, bins], weights, out=mel[start : start + len(block), mels])
        return mel


def features_for(domain: AudioDomain) -> Callable[[Floats], Floats]:
    """Turns waveforms [..., T] into what the domain's network is given."""
    return FEATURES[domain.features.kind](domain)


@lru_cache(maxsize=32)
def log_mel_for(domain: AudioDomain) -> LogMel:
    assert isinstance(domain.features, LogMelSpec), domain.features
    return LogMel(domain.features, domain.input.sample_rate_hz)


def _as_it_is(waveform: Floats) -> Floats:
    return waveform


FEATURES: dict[str, Callable[[AudioDomain], Callable[[Floats], Floats]]] = {
    "log_mel": log_mel_for,
    "waveform": lambda _: _as_it_is,
}


def _reflect(samples: Floats, edge: int) -> Floats:
    """`np.pad(mode="reflect")`, three times as fast."""
    out = np.empty(len(samples) + 2 * edge, np.float32)
    out[edge:-edge] = samples
    out[:edge] = samples[edge:0:-1]
    out[-edge:] = samples[-2 : -edge - 2 : -1]
    return out


def _hann(length: int) -> Floats:
    """The periodic window, as for spectra: zero at the start, not at the end."""
    phase = 2 * np.pi * np.arange(length) / length
    return (0.5 - 0.5 * np.cos(phase)).astype(np.float32)


def _filterbank(features: LogMelSpec, sample_rate_hz: int) -> Floats:
    """Triangles [n_fft // 2 + 1, n_mels], equally spaced on the mel scale."""
    corners = mel_corners_hz(features)
    bins = np.linspace(0, sample_rate_hz / 2, features.n_fft // 2 + 1)[:, np.newaxis]
    rising = (bins - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - bins) / (corners[2:] - corners[1:-1])
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


def mel_corners_hz(features: LogMelSpec) -> Doubles:
    """Where the triangles begin, peak and end: [n_mels + 2], each peak the next one's start."""
    mel_from_hz, hz_from_mel = SCALES[features.mel_scale]
    low, high = mel_from_hz(features.fmin_hz), mel_from_hz(features.fmax_hz)
    return hz_from_mel(np.linspace(low, high, features.n_mels + 2))


def _without_zeros(filterbank: Floats) -> list[tuple[slice, slice, Floats]]:
    """The parts of a filterbank that are not zero: rows, columns and the weights there."""
    parts = []
    for first in range(0, filterbank.shape[1], MELS_AT_ONCE):
        mels = slice(first, first + MELS_AT_ONCE)
        used = np.flatnonzero(filterbank[:, mels].any(axis=1))
        bins = slice(used[0], used[-1] + 1) if len(used) else slice(0)
        parts.append((bins, mels, np.ascontiguousarray(filterbank[bins, mels])))
    return parts


def _mel_from_hz(hz: float) -> float:
    return float(2595 * np.log10(1 + hz / 700))


def _hz_from_mel(mel: Doubles) -> Doubles:
    return 700 * (10 ** (mel / 2595) - 1)


def _slaney_mel_from_hz(hz: float) -> float:
    """Even up to 1 kHz, and in equal ratios above (Auditory Toolbox, 1998)."""
    return float(hz * 3 / 200 if hz < 1000 else 15 + 27 * np.log(hz / 1000) / np.log(6.4))


def _hz_from_slaney_mel(mel: Doubles) -> Doubles:
    return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))


SCALES: dict[str, tuple[Callable[[float], float], Callable[[Doubles], Doubles]]] = {
    "htk": (_mel_from_hz, _hz_from_mel),
    "slaney": (_slaney_mel_from_hz, _hz_from_slaney_mel),
}
