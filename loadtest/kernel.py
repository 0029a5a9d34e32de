"""Where the time of one clip goes, stage by stage, on one core and without a server.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 telltale kernel CLIP [--domain faults]

The stages are timed in turn, so that each finds the caches as the one before it left them. On a
shared machine the median says what a clip costs here and now, the least what the code can do.
"""

import time
from pathlib import Path

import numpy as np

from data.domains.domain import AudioDomain, of_sounds
from data.media.audio.recording import decode
from data.media.prepare import features_of_sound
from loadtest import command
from models.bundle import PRETRAINED, load_bundle
from models.runtime import Model, OnnxModel

STAGES = ("decode", "features", "network", "scores")
WARM_UP = 20  # clips; the first ones pay for imports, fresh pages and cold caches
LEAST = 20  # clips that are measured, however short the time


def measure(
    raw: bytes, domain: AudioDomain, model: Model, seconds: float
) -> dict[str, list[float]]:
    """Milliseconds of each stage of the way of `prepare` and `Model.predict`, and of "all", of each
    clip in `seconds`. Raises a ClipError."""
    rows: list[list[float]] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(rows) < WARM_UP + LEAST:
        rows.append(times := [time.perf_counter()])
        recording = decode(raw, sample_rate_hz=domain.input.sample_rate_hz, limits=domain.limits)
        times.append(time.perf_counter())
        features, _ = features_of_sound(recording.samples, domain)
        times.append(time.perf_counter())
        embedded = model.embed(features)
        times.append(time.perf_counter())
        model.score([features], *embedded)
        times.append(time.perf_counter())
    spent = 1000 * np.diff(rows[WARM_UP:], axis=1)
    stages = dict(zip(STAGES, spent.T.tolist(), strict=True))
    return {**stages, "all": spent.sum(axis=1).tolist()}


def parsed(words: command.Words = None) -> command.Arguments:
    parser = command.new_parser("kernel", __doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--domain", default="faults")
    parser.add_argument("--bundle", type=Path, help="default: the shipped one of the domain")
    parser.add_argument("--seconds", type=float, default=10)
    return parser.parse_args(words)


def print_stages(arguments: command.Arguments) -> None:
    bundle = load_bundle(arguments.bundle or PRETRAINED / arguments.domain)
    raw, domain = arguments.clip.read_bytes(), of_sounds(bundle.domain)
    print(f"{'ms':10}{'median':>8}{'least':>8}")
    for name, spent in measure(raw, domain, OnnxModel(bundle), arguments.seconds).items():
        print(f"{name:10}{np.median(spent):8.3f}{min(spent):8.3f}")


if __name__ == "__main__":
    raise SystemExit(command.exit_code(print_stages, parsed()))
