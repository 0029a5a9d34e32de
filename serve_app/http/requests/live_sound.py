"""Live sound as it comes: windows of it in order, fewer of them where hearing falls behind.

The trick is the pace. What an answer takes says how far the next window may lie so that what waits
is heard within CATCH_UP_S: on a machine that has time it is the next hop, also when sound comes in
lumps; on one that has none, windows are skipped, and all streams slow down together.
"""

import asyncio
import io
import math
import time
import wave
from dataclasses import dataclass

from data.errors import ClipTooLarge, Overloaded
from data.media.audio.features import TAIL

WAITING_S = 5.0  # of sound that is not heard yet; behind it skipping has not helped
CATCH_UP_S = 0.5
SPARSEST = 0.5  # of a window from one to the next: all of the sound is heard twice
ROUNDING = 1e-6
MEMORY = 0.2  # weight of the newest answer in what one takes


@dataclass(frozen=True)
class Window:
    """16-bit samples as WAV; `skipped` windows were left out before it."""

    start_s: float
    skipped: int
    wav: bytes


class Sound:
    """What has come of a stream, 16-bit samples, and is not heard yet."""

    def __init__(self, rate_hz: int, window_s: float, hop_s: float, max_s: float) -> None:
        self.rate_hz, self._max_s = rate_hz, max_s
        self._window, self._hop = 2 * round(window_s * rate_hz), 2 * round(hop_s * rate_hz)
        self._pace = Pace(hop_s, SPARSEST * window_s)
        self._held, self._left = bytearray(), b""  # left behind by the newest step
        self._came, self._past, self._ended = 0, 0, False
        self._given_at: float | None = None  # the newest window, whose answer is awaited
        self._changed = asyncio.Event()

    @property
    def duration_s(self) -> float:
        return self._came / (2 * self.rate_hz)

    def put(self, samples: bytes) -> None:
        """Raises ClipTooLarge behind the longest duration, Overloaded where too much waits."""
        self._came += len(samples)
        self._held += samples
        if self.duration_s > self._max_s:
            raise ClipTooLarge(f"a stream lasts at most {self._max_s:,g} s; begin another")
        if self._waiting_s > WAITING_S:
            raise Overloaded(
                f"{WAITING_S:g} s of sound wait here: it comes faster than it is heard, or the "
                "answers are not read; send it as it is recorded, or try again later"
            )
        self._changed.set()

    def end(self) -> None:
        self._ended = True
        self._changed.set()

    async def window(self) -> Window | None:
        """The next one, asked for when the one before is answered; None behind the last."""
        hops = self._hops_on()
        while len(self._held) < self._window:
            if self._ended:
                return self._last(hops)
            self._changed.clear()
            await self._changed.wait()
        self._given_at = time.monotonic()
        start_s = self._past / (2 * self.rate_hz)
        return Window(start_s, max(0, hops - 1), _wav(self._held[: self._window], self.rate_hz))

    def _last(self, hops: int) -> Window | None:
        """Cut as the last one of a recording (`cut_windows`)."""
        is_only = self._given_at is None
        del self._held[len(self._held) // 2 * 2 :]  # half a sample
        new = len(self._held) - (0 if is_only else self._window - hops * self._hop)
        if new <= (0 if is_only else TAIL * self._window):
            return None
        missing = self._window - len(self._held)
        samples = bytes(self._held) if is_only else self._left[-missing:] + self._held
        start = -missing / 2 if is_only else self._past - missing
        self._held, self._given_at = bytearray(), time.monotonic()
        return Window(start / (2 * self.rate_hz), max(0, hops - 1), _wav(samples, self.rate_hz))

    def _hops_on(self) -> int:
        """From the window before to this one. Of sound that has ended nothing is skipped."""
        if self._given_at is None:
            return 0
        self._pace.answered(time.monotonic() - self._given_at)
        hops = 1 if self._ended else self._pace.hops(self._waiting_s)
        self._left = bytes(self._held[: hops * self._hop])
        del self._held[: hops * self._hop]
        self._past += hops * self._hop
        return hops

    @property
    def _waiting_s(self) -> float:
        """Behind the newest window."""
        return max(0, len(self._held) - self._window) / (2 * self.rate_hz)


class Pace:
    """How many hops lie from one window to the next."""

    def __init__(self, hop_s: float, sparsest_s: float) -> None:
        self._hop_s, self._sparsest_s = hop_s, sparsest_s
        self._answer_s = 0.0

    def answered(self, seconds: float) -> None:
        self._answer_s += MEMORY * (seconds - self._answer_s)

    def hops(self, waiting_s: float) -> int:
        """Not to behind what waits: nobody gains by waiting for sound that is still to come."""
        needed = math.ceil(self._answer_s * (1 + waiting_s / CATCH_UP_S) / self._hop_s)
        most = math.floor(min(waiting_s, self._sparsest_s) / self._hop_s + ROUNDING)
        return max(1, min(needed, most))


def _wav(samples: bytes | bytearray, rate_hz: int) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples)
    return out.getvalue()
