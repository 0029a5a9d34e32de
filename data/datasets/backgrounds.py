"""Sounds that are none of anybody's labels: hiss, rumble, mains hum and the tone of a room.

What microphones record when nothing happens, made here so that every domain has it; a network
that never heard it takes it for whatever is nearest, and is sure of it.
"""

from collections.abc import Callable, Iterator

import numpy as np

from data.arrays import Doubles, Floats

HARMONICS = 8


def falling(length: int, exponent: float, rng: np.random.Generator) -> Floats:
    """Noise [length] of unit power whose power falls with frequency to the power of `exponent`:
    0 white, 1 pink (3 dB an octave), 2 brown."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    spectrum[1:] /= np.arange(1, len(spectrum)) ** (exponent / 2)
    spectrum[0] = 0
    return _unit(np.fft.irfft(spectrum, length))


def pink(length: int, rng: np.random.Generator) -> Floats:
    return falling(length, 1.0, rng)


def hum(length: int, mains_hz: float, rate_hz: int, rng: np.random.Generator) -> Floats:
    """Mains hum of unit power: the first harmonics, each weaker than the last by a chance."""
    times = np.arange(length) / rate_hz
    strengths = np.cumprod(rng.uniform(0.4, 1.0, HARMONICS))
    phases = rng.uniform(0, 2 * np.pi, HARMONICS)
    parts = [
        strength * np.sin(2 * np.pi * number * mains_hz * times + phase)
        for number, (strength, phase) in enumerate(zip(strengths, phases, strict=True), 1)
        if number * mains_hz < rate_hz / 2
    ]
    return _unit(np.sum(parts, axis=0))


def room_tone(length: int, mains_hz: float, rate_hz: int, rng: np.random.Generator) -> Floats:
    """Rumble, some hiss and a little hum, of unit power."""
    shares = rng.uniform((0.5, 0.05, 0.02), (1.0, 0.5, 0.4))
    parts = (
        falling(length, rng.uniform(1.2, 2.0), rng),
        falling(length, 0.0, rng),
        hum(length, mains_hz, rate_hz, rng),
    )
    return _unit(np.sum([share * part for share, part in zip(shares, parts, strict=True)], axis=0))


def backgrounds(length: int, rate_hz: int, of_each: int, seed: int) -> Iterator[Floats]:
    """`of_each` of every kind, [length] each and of unit power; the same for the same seed."""
    rng = np.random.default_rng(seed)
    for _ in range(of_each):
        for make in KINDS:
            yield make(length, rate_hz, rng)


def _unit(samples: Doubles) -> Floats:
    return np.asarray(samples / max(float(samples.std()), 1e-12), np.float32)


KINDS: tuple[Callable[[int, int, np.random.Generator], Floats], ...] = (
    lambda length, _, rng: falling(length, 0.0, rng),
    lambda length, _, rng: falling(length, 1.0, rng),
    lambda length, _, rng: falling(length, 2.0, rng),
    lambda length, _, rng: falling(length, rng.uniform(0, 2), rng),
    lambda length, rate_hz, rng: hum(length, 50.0, rate_hz, rng),
    lambda length, rate_hz, rng: hum(length, 60.0, rate_hz, rng),
    lambda length, rate_hz, rng: room_tone(length, 50.0, rate_hz, rng),
    lambda length, rate_hz, rng: room_tone(length, 60.0, rate_hz, rng),
)
