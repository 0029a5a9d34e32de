"""The floor: decode, features and network over and over in some processes, no server."""

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path

WARM_UP = 20
PATIENCE_S = 60
START: list[Barrier] = []  # of a worker process: none begins before all are warm


def worked(clip: Path, processes: int, seconds: float) -> tuple[int, float]:
    """Clips, and the seconds of CPU they took. Raises what the kernel raises."""
    together = multiprocessing.get_context("spawn")
    start = (together.Barrier(processes),)
    with ProcessPoolExecutor(processes, together, initializer=_ready, initargs=start) as pool:
        found = [*pool.map(_worked, [clip] * processes, [seconds] * processes)]
    return sum(row[0] for row in found), sum(row[1] for row in found)


def _ready(start: Barrier) -> None:
    START.append(start)


def _worked(path: Path, seconds: float) -> tuple[int, float]:
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
