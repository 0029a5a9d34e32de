"""The floor: decode, features and network over and over, in as many processes as asked, no server.

    TELLTALE_BENCH_BUNDLE=models/pretrained/faults \
        python -m loadtest.bench.peers.loop clip.wav --processes 2 --seconds 3

Prints one line of JSON: clips computed, and the seconds and milliseconds of CPU that took.
"""

import argparse
import json
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path

WARM_UP = 20
PATIENCE_S = 60
START: list[Barrier] = []  # of a worker process: none begins before all are warm


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--processes", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    arguments = parser.parse_args()
    many, together = arguments.processes, multiprocessing.get_context("spawn")
    start = (together.Barrier(many),)
    with ProcessPoolExecutor(many, together, initializer=_ready, initargs=start) as pool:
        found = [*pool.map(_worked, [arguments.clip] * many, [arguments.seconds] * many)]
    clips, cpu_s = sum(row[0] for row in found), sum(row[1] for row in found)
    print(json.dumps({"clips": clips, "seconds": arguments.seconds, "cpu_ms": cpu_s * 1e3}))
    return 0


def _ready(start: Barrier) -> None:
    START.append(start)


def _worked(path: Path, seconds: float) -> tuple[int, float]:
    """Clips, and the seconds of CPU they took."""
    from loadtest.bench.peers.kernel import Kernel

    kernel, clip = Kernel(), path.read_bytes()
    for _ in range(WARM_UP):
        kernel(clip)
    START[0].wait(PATIENCE_S)  # for one that failed before it got here, all fail
    clips, cpu, end = 0, time.process_time(), time.perf_counter() + seconds
    while time.perf_counter() < end:
        kernel(clip)
        clips += 1
    return clips, time.process_time() - cpu


if __name__ == "__main__":
    sys.exit(main())
