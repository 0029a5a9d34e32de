"""Sounds to try, made from formulas, since no data set is shipped: so simple that one hears what is
in them. A domain's file names those of the kind that it listens for; none says what the answer
will be, for a model may not know what was made."""

from collections.abc import Callable, Sequence

import numpy as np

from data.arrays import Doubles
from serve_app.ui.words.translate import mark

RATE_HZ, SECONDS = 16_000, 5.0
BEAT_S = 60 / 72
PITCH_HZ, WIDTH_HZ, THROAT_HZ = 120, 90, 2600  # of a voice, and how wide its resonances are

Made = Callable[[], Doubles]  # samples [T]


def _hum() -> Doubles:
    time_s = _time_s()
    return 0.2 * _sum([np.sin(2 * np.pi * 100 * n * time_s) / n for n in (1, 2, 3, 5)])


def _knocking() -> Doubles:
    return 0.5 * _noise() * _fading(_time_s() % 0.5, 60)


def _hiss() -> Doubles:
    return 0.05 * _noise()


def _heartbeat() -> Doubles:
    """A long low thud as the valves to the chambers close, a short one as those behind them do."""
    since_s = _time_s() % BEAT_S
    later_s = since_s - 0.3
    first = np.sin(2 * np.pi * 45 * since_s) * _fading(since_s, 35)
    second = np.sin(2 * np.pi * 65 * later_s) * _fading(later_s, 50)
    return 0.6 * first + 0.4 * second + 0.001 * _noise()


def _murmur() -> Doubles:
    """Where a valve is narrow, blood rushes through it between the thuds."""
    return _heartbeat() + 0.25 * _swelling(_time_s() % BEAT_S - 0.06, 0.22) * _below_700_hz()


def _chirping() -> Doubles:
    since_s = _time_s() % 0.6
    falling = np.sin(2 * np.pi * (4_500 * since_s - 5_000 * since_s**2))
    return 0.3 * falling * _swelling(since_s, 0.2) + 0.01 * _below_700_hz()


def _bang() -> Doubles:
    since_s = _time_s() - 2
    with_echo = _fading(since_s, 25) + 0.1 * _fading(since_s, 4)
    return 0.9 * _noise() * with_echo + 0.01 * _below_700_hz()


def _engine() -> Doubles:
    time_s = _time_s()
    turning = _sum([np.sin(2 * np.pi * 42 * n * time_s) / n for n in range(1, 12)])
    return 0.15 * turning + 0.02 * _noise()


def _word() -> Doubles:
    return _spoken([(250, 1100), (750, 1250), (350, 2200), (250, 1300)])


def _other_word() -> Doubles:
    return _spoken([(300, 650), (650, 1100), (600, 1150), (250, 1300)])


SOUNDS: dict[str, tuple[str, Made]] = {  # by their names in a domain's file, as they are shown
    "hum": (mark("a hum"), _hum),
    "knocking": (mark("knocking"), _knocking),
    "hiss": (mark("a hiss"), _hiss),
    "heartbeat": (mark("a heartbeat"), _heartbeat),
    "murmur": (mark("a murmur between beats"), _murmur),
    "word": (mark("a made voice"), _word),
    "other_word": (mark("a made voice, another word"), _other_word),
    "chirping": (mark("chirping"), _chirping),
    "bang": (mark("a bang"), _bang),
    "engine": (mark("an engine"), _engine),
}
NEUTRAL = ("hum", "knocking", "hiss")


def made_sounds(names: Sequence[str]) -> dict[str, Made]:
    """By what they are called on the page; of a service that knows other sounds, those known here,
    and the neutral ones where that is none."""
    known = [name for name in names if name in SOUNDS]
    return dict(SOUNDS[name] for name in known or NEUTRAL)


def _spoken(resonances_hz: Sequence[tuple[float, float]]) -> Doubles:
    """A word, by how the two strongest resonances of the mouth move in half a second: harmonics of
    a falling pitch, each as strong as it is near to one of them."""
    time_s = _time_s(0.5)
    at_s = np.linspace(0, time_s[-1], len(resonances_hz))
    first, second = (np.interp(time_s, at_s, hz) for hz in np.transpose(resonances_hz))
    pitch_hz = PITCH_HZ * (1.1 - 0.4 * time_s)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ

    near: Sequence[tuple[Doubles | int, float]]
    near = ((first, 1.0), (second, 0.5), (THROAT_HZ, 0.15))

    def strength(n: int) -> Doubles:
        return _sum([weight / (1 + ((n * pitch_hz - hz) / WIDTH_HZ) ** 2) for hz, weight in near])

    voiced = _sum([strength(n) * np.sin(n * phase) for n in range(1, 32)])
    word = 0.3 * voiced * _swelling(time_s, 0.5) ** 0.5
    return np.pad(word, RATE_HZ // 4) + 0.001 * _noise(1.0)


def _sum(parts: Sequence[Doubles]) -> Doubles:
    found: Doubles = np.sum(parts, axis=0)
    return found


def _time_s(seconds: float = SECONDS) -> Doubles:
    return np.arange(int(RATE_HZ * seconds)) / RATE_HZ


def _noise(seconds: float = SECONDS) -> Doubles:
    """The same each time."""
    return np.random.default_rng(7).normal(size=int(RATE_HZ * seconds))


def _below_700_hz() -> Doubles:
    return np.convolve(_noise(), np.hanning(48) / 24, "same")


def _fading(since_s: Doubles, rate: float) -> Doubles:
    """Nothing before it begins."""
    return np.where(since_s < 0, 0.0, np.exp(-rate * np.maximum(since_s, 0)))


def _swelling(since_s: Doubles, for_s: float) -> Doubles:
    """Up, and down again; nothing before and after."""
    within = (since_s >= 0) & (since_s < for_s)
    return np.where(within, np.sin(np.pi * since_s / for_s).clip(0), 0.0)
