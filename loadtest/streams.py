"""Live digits: how soon, how surely and how often wrongly they are told, many streams at once.

    telltale streams [--url http://127.0.0.1:8000] [--streams 16] [--seconds 60]

Each stream is the exam's clips joined, with quiet between them, sent at the pace of speech. An
event is right if it comes with the clip's label while that is heard or less than a second later;
its delay is from the clip's end, as it was sent, to the event's arrival.
"""

import argparse
import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from data.domains.domain import load_domains, of_sounds
from loadtest import command
from loadtest.planted import Clips, Laid, exam_clips, laid
from loadtest.report import quantiles
from serve_app.client.analysis_answers import StreamEvent, StreamPrediction
from serve_app.client.client import Client

APART_S = (0.4, 1.2)
QUIET = 0.001  # RMS; full scale is 1
BLOCK_S = 0.02
PATIENCE_S = 1.0  # behind a clip's end


@dataclass
class Outcome:
    clips: int
    duration_s: float
    delays_s: list[float] = field(default_factory=list)  # of those that were told
    false: int = 0
    windows: int = 0
    skipped: int = 0  # of them those that the service left out, because it was behind


def joined(clips: Clips, rate_hz: int, seconds: float, seed: int) -> Laid:
    """Of about so long."""
    rng = np.random.default_rng(seed)
    each_s = np.mean(APART_S) + np.mean([len(samples) for _, samples in clips]) / rate_hz
    count = math.ceil(seconds / each_s)
    chosen = [clips[place] for place in rng.integers(len(clips), size=count)]
    sound, planted = laid(chosen, [*rng.uniform(*APART_S, count), 2.0], rate_hz)
    return sound + rng.normal(0, QUIET, len(sound)).astype(np.float32), planted


def heard(client: Client, domain: str, recording: Laid, rate_hz: int) -> Outcome:
    sound, planted = recording
    samples = (np.clip(sound, -1, 1) * 32_767).astype("<i2")
    started = time.monotonic()  # of the first block, once it is sent

    def paced() -> Iterator[bytes]:
        nonlocal started
        step, started = round(BLOCK_S * rate_hz), time.monotonic()
        for first in range(0, len(samples), step):
            part = samples[first : first + step]
            due_s = (first + len(part)) / rate_hz  # as a microphone gives it: when it is over
            time.sleep(max(0.0, started + due_s - time.monotonic()))
            yield part.tobytes()

    waiting, outcome = list(planted), Outcome(len(planted), len(sound) / rate_hz)
    for found in client.stream(domain, paced(), rate_hz):
        if isinstance(found, StreamEvent) and not found.ended:
            now_s = time.monotonic() - started
            here = (clip for clip in waiting if clip.start_s < now_s < clip.end_s + PATIENCE_S)
            right = next((clip for clip in here if clip.label == found.label), None)
            if right is None:
                outcome.false += 1
            else:
                waiting.remove(right)
                outcome.delays_s.append(now_s - right.end_s)
        elif isinstance(found, StreamPrediction):
            outcome.windows += 1 + found.skipped
            outcome.skipped += found.skipped
    return outcome


def parsed(words: command.Words = None) -> argparse.Namespace:
    parser = command.parser("streams", __doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--domain", default="keywords")
    parser.add_argument("--streams", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=60.0)
    return parser.parse_args(words)


def print_figures(arguments: argparse.Namespace) -> int:
    domain = of_sounds(load_domains(names=(arguments.domain,))[arguments.domain])
    clips, rate_hz = exam_clips(domain), domain.input.sample_rate_hz

    def one(seed: int) -> Outcome:
        recording = joined(clips, rate_hz, arguments.seconds, seed)
        with Client(arguments.url) as client:
            return heard(client, domain.name, recording, rate_hz)

    with ThreadPoolExecutor(arguments.streams) as threads:
        found = list(threads.map(one, range(arguments.streams)))
    delays_ms = [1e3 * delay_s for each in found for delay_s in each.delays_s]
    clips_said, false, windows, skipped, seconds = (
        sum(getattr(each, name) for each in found)
        for name in ("clips", "false", "windows", "skipped", "duration_s")
    )
    p50, p95 = quantiles(delays_ms, 0.5, 0.95)
    print(
        f"{len(found)} streams, {clips_said} clips: told {len(delays_ms) / clips_said:.1%}, false "
        f"{60 * false / seconds:.2f} a minute; from a clip's end to its event p50 {p50:.0f} ms, "
        f"p95 {p95:.0f} ms; of {windows} windows {skipped / max(1, windows):.1%} skipped"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(command.exit_code("streams", print_figures, parsed()))
