"""Which recordings are copies of each other, through codecs, gains and small shifts.

Codecs keep a waveform as it swings; another take of the same thing swings otherwise. A recording's
fingerprint is the sign of each sample between 40 and 1,000 Hz, after the spectrum was flattened so
that no hum speaks alone; moments 30 dB below the loudest count for nothing. Two are compared at
every shift (their cross-correlation, by FFT). Of many recordings only those are compared whose
spectra are close, which no shift alters: n of them need n^2 products of short vectors, and
n x NEAREST comparisons. Of coded and cut copies the original was the closest of 463 to 2,730
spectra, but for some by Opus (the 11th of 885 at worst); with noise 39 (hearts) to 99 % are among
the NEAREST.

COPY was chosen on copies of 100 train rows a data set and then measured, once, on all test rows.
Reached by, in % of the copies:

            Vorbis  MP3, 64 and 128 kbit/s  -6 dB  50 ms cut off  Opus  8 kHz  noise at -20 dB
  faults       100              100  100      100   100  100      99.1    100       88
  hearts       100              100  100      100   100  100       100    100      100
  keywords     100              100  100      100  99.7  100       100    100       98
  wildlife    99.2             99.2  100      100  99.2  100      99.2    100       91

and by none of 352, 714, 2,430 and 394 train rows against the exam (at most 0.57: one speaker says a
digit again). A hum that two recordings share makes them copies where it is 25 dB above all else.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import scipy.fft

from data.arrays import Floats, Integers
from data.domains.domain import AudioDomain
from data.media.audio.recording import decode
from data.quality.copy_pairs import CopyPair

COPY = 0.6
RATE_HZ = 4_000
LOWEST_HZ = 40  # below it stethoscopes and rooms differ, and codecs cut
HIGHEST_HZ = 1_000  # far enough below RATE_HZ / 2 for copies that start between two samples
FINER = 2  # steps a sample, of the shifts that are tried, where whole samples come
NEAR = 0.4  # so near; a half step costs a copy at most an eighth of its likeness
SMOOTH_HZ = 60
NOISE = 0.03  # of the mean power: what is fainter may be a codec's, or the room's
QUIET = 0.03  # of the loudest sample: what is fainter says nothing
LONGEST_S = 30  # of a recording; the beginning tells
SILENCE = 1e-4  # of full scale, the loudest sample
BITS = 8  # samples that are loud or quiet together
CELLS = 256
NEAREST = 20
BLOCK = 512  # spectra compared at once


def fingerprint(raw: bytes, domain: AudioDomain) -> bytes:
    """Raises a ClipError where there is nothing to be heard."""
    return signs(decode(raw, sample_rate_hz=RATE_HZ, limits=domain.limits).samples)


def signs(samples: Floats) -> bytes:
    """Mono [T] at RATE_HZ -> a bit each, then a bit for each BITS of them that are loud; none of
    silence."""
    size = min(len(samples), LONGEST_S * RATE_HZ) // BITS**2 * BITS**2
    peak = float(np.abs(samples[:size]).max(initial=0))
    if peak < SILENCE:
        return b""
    samples = samples[:size]
    loud = np.abs(samples).reshape(-1, BITS).max(axis=1) >= QUIET * peak
    return np.packbits(np.append(_flattened(samples) > 0, loud)).tobytes()


def _flattened(samples: Floats) -> Floats:
    """With a spectrum as flat as that of noise, but where it is hardly above noise."""
    size = scipy.fft.next_fast_len(len(samples) + RATE_HZ // 10, real=True)
    spectrum = scipy.fft.rfft(samples, size)
    power = np.square(np.abs(spectrum), dtype=np.float64)
    width = max(3, SMOOTH_HZ * size // RATE_HZ) | 1
    total = np.cumsum(np.insert(np.pad(power, width // 2, mode="edge"), 0, 0))
    smooth = np.maximum((total[width:] - total[:-width]) / width, 1e-12)
    gain = np.sqrt(smooth) / (smooth + NOISE * smooth.mean())
    gain[: LOWEST_HZ * size // RATE_HZ] = gain[HIGHEST_HZ * size // RATE_HZ :] = 0
    return np.asarray(scipy.fft.irfft(spectrum * gain, size)[: len(samples)], np.float32)


def likeness(one: bytes, others: Sequence[bytes]) -> Floats:
    """The largest cross-correlation with each of the others [n] over all shifts: 1 for the same."""
    found = np.zeros(len(others), np.float32)
    if not one or not any(others):
        return found
    mine = _swings(one)
    theirs = [_swings(other) for other in others]
    longest = max(len(other) for other in theirs)
    size = scipy.fft.next_fast_len(longest + len(mine), real=True)
    turned = scipy.fft.rfft(mine, size).conj()
    for place, other in enumerate(theirs):
        if len(other):
            product = scipy.fft.rfft(other, size) * turned
            found[place] = scipy.fft.irfft(product, size).max()
            if found[place] >= NEAR:
                found[place] = FINER * scipy.fft.irfft(product, FINER * size).max()
    return found


def _swings(one: bytes) -> Floats:
    """[T] of -1 and 1, and 0 where it is quiet, scaled to unit energy."""
    bits = np.unpackbits(np.frombuffer(one, np.uint8)).astype(np.float32)
    size = len(bits) // (BITS + 1) * BITS
    swings = (2 * bits[:size] - 1) * np.repeat(bits[size:], BITS)
    return np.asarray(swings / max(1.0, float(np.linalg.norm(swings))), np.float32)


def find_copies(prints: Sequence[bytes], compared: int = 0) -> list[CopyPair]:
    """Every pair of copies, the most alike first; but for those among the first `compared`."""
    found = [
        CopyPair(int(before), place, float(score))
        for place, others in _candidates(prints, compared)
        for before, score in zip(
            others, likeness(prints[place], [prints[other] for other in others]), strict=True
        )
        if score >= COPY
    ]
    return sorted(found, key=lambda pair: -pair.score)


def _candidates(prints: Sequence[bytes], compared: int) -> Iterator[tuple[int, Integers]]:
    """Each recording behind the first `compared` with those before it that may be copies of it."""
    if len(prints) <= compared:
        return
    spectra = _spectra(prints)
    for start in range(compared, len(prints), BLOCK):
        cosines = spectra[start : start + BLOCK] @ spectra.T
        for row, closeness in enumerate(cosines):
            place = start + row
            before = closeness[:place]
            if prints[place] and place:
                count = min(NEAREST, place)
                yield place, np.argpartition(-before, count - 1)[:count]


def _spectra(prints: Sequence[bytes]) -> Floats:
    """[n, CELLS] of unit length: how loud each part of the spectrum is, against what is usual."""
    values = np.zeros((len(prints), CELLS), np.float32)
    for place, one in enumerate(prints):
        if one:
            values[place] = _spectrum(_swings(one))
    values -= values.mean(axis=0)
    values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-6)
    return values


def _spectrum(swings: Floats) -> Floats:
    size = scipy.fft.next_fast_len(max(8 * CELLS, len(swings)), real=True)
    power = np.square(np.abs(scipy.fft.rfft(swings, size)))
    power = power[1 : HIGHEST_HZ * size // RATE_HZ]
    starts = np.arange(CELLS) * len(power) // CELLS
    return np.asarray(np.log(np.add.reduceat(power, starts) + 1e-9), np.float32)
