"""Where the time of one clip goes, stage by stage, on one core and without a server.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 telltale kernel CLIP [--domain faults]

The stages are timed in turn, clip after clip, so that each finds the caches as the one before it
left them. On a shared machine the median says what a clip costs here and now, the least what the
code can do.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np

from data.domains.domain import AudioDomain, of_sounds
from data.media.audio.recording import decode
from data.media.prepare import features_of_sound, prepare
from loadtest import command
from models.bundle import PRETRAINED, load_bundle
from models.runtime import Model, OnnxModel

WARM_UP = 20  # clips; the first ones pay for imports, fresh pages and cold caches
LEAST = 20  # clips that are measured, however short the time

Result = TypeVar("Result")


def measure(
    raw: bytes, domain: AudioDomain, model: Model, seconds: float
) -> Iterator[tuple[str, list[float]]]:
    """Milliseconds of each stage and of "all", one for each of the clips that fit in `seconds`.
    Raises a ClipError."""
    prepare(raw, domain)  # refused here if at all, not in the middle of a measurement
    for _ in range(WARM_UP):
        one_clip(raw, domain, model)
    rounds: list[dict[str, float]] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(rounds) < LEAST:
        rounds.append(one_clip(raw, domain, model))
    for name in rounds[0]:
        yield name, [spent[name] for spent in rounds]


def one_clip(raw: bytes, domain: AudioDomain, model: Model) -> dict[str, float]:
    """The way of `prepare` and `Model.predict`, with a look at the clock between steps."""
    spent: dict[str, float] = {}

    def timed(name: str, stage: Callable[[], Result]) -> Result:
        started = time.perf_counter()
        result = stage()
        spent[name] = 1000 * (time.perf_counter() - started)
        return result

    rate_hz, limits = domain.input.sample_rate_hz, domain.limits
    recording = timed("decode", lambda: decode(raw, sample_rate_hz=rate_hz, limits=limits))
    features, _ = timed("features", lambda: features_of_sound(recording.samples, domain))
    embedded = timed("network", lambda: model.embed(features))
    timed("scores", lambda: model.score([features], *embedded))
    spent["all"] = sum(spent.values())
    return spent


def main() -> int:
    parser = command.parser("telltale kernel", __doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--domain", default="faults")
    parser.add_argument("--bundle", type=Path, help="default: the shipped one of the domain")
    parser.add_argument("--seconds", type=float, default=10)
    arguments = parser.parse_args()
    return command.exit_code("kernel", lambda: print_stages(arguments))


def print_stages(arguments: argparse.Namespace) -> int:
    bundle = load_bundle(arguments.bundle or PRETRAINED / arguments.domain)
    raw, domain = arguments.clip.read_bytes(), of_sounds(bundle.domain)
    print(f"{'ms':10}{'median':>8}{'least':>8}")
    for name, spent in measure(raw, domain, OnnxModel(bundle), arguments.seconds):
        print(f"{name:10}{np.median(spent):8.3f}{min(spent):8.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
