"""Live digits: how soon, how surely and how often wrongly they are told, many streams at once.

    telltale streams [--url http://127.0.0.1:8000] [--streams 16] [--seconds 60]

Each stream is the exam's clips joined, with quiet between them, sent at the pace of speech. An
event is right if it comes with the clip's label while that is heard or less than a second later;
its delay is from the clip's end, as it was sent, to the event's arrival.
"""

import math
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

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


def joined(clips: Clips, rate_hz: int, seconds: float, seed: int) -> Laid:
    rng = np.random.default_rng(seed)
    each_s = np.mean(APART_S) + np.mean([len(samples) for _, samples in clips]) / rate_hz
    count = math.ceil(seconds / each_s)
    chosen = [clips[place] for place in rng.integers(len(clips), size=count)]
    sound, planted = laid(chosen, [*rng.uniform(*APART_S, count), 2.0], rate_hz)
    return sound + rng.normal(0, QUIET, len(sound)).astype(np.float32), planted


def heard(
    client: Client, domain: str, recording: Laid, rate_hz: int
) -> tuple[list[float], Counter[str]]:
    """How long after their end clips were told; counts of `clips`, `false` events, `windows`, and
    of those `skipped`, which the service left out because it was behind."""
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

    waiting, delays_s, counts = list(planted), list[float](), Counter(clips=len(planted))
    for found in client.stream(domain, paced(), rate_hz):
        if isinstance(found, StreamEvent) and not found.ended:
            now_s = time.monotonic() - started
            here = (clip for clip in waiting if clip.start_s < now_s < clip.end_s + PATIENCE_S)
            right = next((clip for clip in here if clip.label == found.label), None)
            if right is None:
                counts["false"] += 1
            else:
                waiting.remove(right)
                delays_s.append(now_s - right.end_s)
        elif isinstance(found, StreamPrediction):
            counts.update(windows=1 + found.skipped, skipped=found.skipped)
    return delays_s, counts


def parsed(words: command.Words = None) -> command.Arguments:
    parser = command.new_parser("streams", __doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--domain", default="keywords")
    parser.add_argument("--streams", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=60.0)
    return parser.parse_args(words)


def print_figures(arguments: command.Arguments) -> None:
    domain = of_sounds(load_domains(names=(arguments.domain,))[arguments.domain])
    clips, rate_hz = exam_clips(domain), domain.input.sample_rate_hz
    streams = [joined(clips, rate_hz, arguments.seconds, seed) for seed in range(arguments.streams)]

    def one(recording: Laid) -> tuple[list[float], Counter[str]]:
        with Client(arguments.url) as client:
            return heard(client, domain.name, recording, rate_hz)

    with ThreadPoolExecutor(len(streams)) as threads:
        found = list(threads.map(one, streams))
    delays_ms = [1e3 * delay_s for delays_s, _ in found for delay_s in delays_s]
    total = sum((counts for _, counts in found), Counter[str]())
    minutes = sum(len(sound) for sound, _ in streams) / rate_hz / 60
    p50, p95 = quantiles(delays_ms, 0.5, 0.95)
    print(
        f"{len(streams)} streams, {total['clips']} clips: told "
        f"{len(delays_ms) / total['clips']:.1%}, false {total['false'] / minutes:.2f} a minute; "
        f"from a clip's end to its event p50 {p50:.0f} ms, p95 {p95:.0f} ms; of {total['windows']} "
        f"windows {total['skipped'] / max(1, total['windows']):.1%} skipped"
    )


if __name__ == "__main__":
    raise SystemExit(command.exit_code(print_figures, parsed()))
