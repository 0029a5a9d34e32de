"""A recording on disk -> its events, in slices between the predictions of a replica.

Predictions go first. A slice of a few windows takes a thread of its own for some hundredths of a
second; before the next one it waits, a while, until no clip waits any more.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from data.domains.domain import AudioDomain, of_sounds
from data.media.audio.recording_stream import open_recording
from data.media.audio.waveform import RecordingStream
from models.analysis.sliding_windows import Analysis, Wishes, planned
from models.analysis.sound_events import Event, Rules, find_events
from models.analysis.tables import row
from serve_app.http.replica import Replica
from serve_app.http.threads import analysing
from serve_app.replica.champion import LoadedVersion

MOST_EVENTS = 20_000  # the surest; a noisy day at a low threshold would have millions
STEPPED_ASIDE_S, LOOK_AGAIN_S = 0.2, 0.005  # of clips that wait; then it goes on all the same


@dataclass(frozen=True)
class RecordingAnalysis:
    served: LoadedVersion
    stream: RecordingStream
    analysis: Analysis
    hop_s: float
    rules: Rules

    @property
    def heard_s(self) -> float:
        return round(self.stream.duration_s, 1)

    @property
    def done(self) -> float | None:
        done = self.analysis.done
        return None if done is None else round(done, 4)

    async def steps(self, service: Replica) -> AsyncIterator[None]:
        """Once a slice is done. What it raises is wrong with the recording."""
        while await analysing(self.analysis.step):
            yield
            until = time.monotonic() + STEPPED_ASIDE_S
            while service.busy and time.monotonic() < until:
                await asyncio.sleep(LOOK_AGAIN_S)

    def events(self) -> list[Event]:
        return find_events(self.analysis.heard(), self.rules)

    def body(self, request_id: str) -> dict[str, Any]:
        """As `answers.Analysis`. In a thread: a day has thousands of events."""
        served, stream, events = self.served, self.stream, self.events()
        return {
            "request_id": request_id,
            "domain": served.domain.name,
            "model": {"version": served.version, "digest": served.digest},
            "recording": {
                "container": stream.container,
                "duration_s": round(stream.duration_s, 4),
                "sample_rate_hz": stream.source_rate_hz,
                "windows": len(self.analysis.heard().starts_s),
                "warnings": [*stream.warnings, *_left_out(len(events))],
            },
            "window_s": of_sounds(served.domain).input.window_s,
            "hop_s": self.hop_s,
            "thresholds": {label: round(least, 6) for label, least in self.rules.enter.items()},
            "events": [row(event) for event in events],
            "labels": dict(Counter(event.label for event in events).most_common()),
            "disclaimer": served.domain.disclaimer,
        }


def _left_out(events: int) -> list[str]:
    if events < MOST_EVENTS:
        return []
    return [f"only the {MOST_EVENTS:,} surest events are told; ask with higher thresholds"]


@asynccontextmanager
async def analysis_of(
    file: BinaryIO,
    domain: AudioDomain,
    served: LoadedVersion,
    wishes: Wishes,
    known: bytes | None = None,
) -> AsyncIterator[RecordingAnalysis]:
    """`known` as of `Analysis`. Raises what is wrong with the recording or the wishes. It is closed
    by the one thread that reads it: of a request that is cancelled a slice may still run, and a
    decoder does not survive to be closed under it."""
    hop_s, rules = planned(served.model, domain, wishes)
    rules = replace(rules, top_n=min(rules.top_n or MOST_EVENTS, MOST_EVENTS))
    rate_hz = of_sounds(served.domain).input.sample_rate_hz
    recording = open_recording(file, domain.limits, rate_hz)
    stream = await analysing(recording.__enter__)
    try:
        analysis = Analysis(served.model, stream, hop_s, known)
        yield RecordingAnalysis(served, stream, analysis, hop_s, rules)
    finally:
        await analysing(recording.__exit__, None, None, None)
