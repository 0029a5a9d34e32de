"""Requests that leave when they are due, whether or not the last was answered.

    python -m loadtest.open_loop clip.wav --rate 100 --seconds 10       Poisson arrivals
    python -m loadtest.open_loop clip.wav --clients 32 --seconds 10     closed loops instead

An interval timer's signal wakes the sender to within microseconds; an event loop's own timer rounds
up to milliseconds. A latency counts from the moment a request was due, so a client that falls
behind shows. `offer` runs it in a process of its own, whose CPU is part of the result.
"""

import argparse
import asyncio
import gc
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from loadtest.wire import multipart_request
from loadtest.wire_load import Load

Floats = NDArray[np.float64]
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Offered:
    """One row a request, seconds from the start of the load. `status` 0: no answer came."""

    due_s: Floats
    sent_s: Floats
    ended_s: Floats
    status: NDArray[np.int64]
    retry_after: NDArray[np.bool_]
    worked_ms: Floats  # decoding, features and network by the answer's own account; else NaN
    client_cpu_s: float

    @property
    def latency_ms(self) -> Floats:
        """Of the answered predictions, in order of their due time."""
        found: Floats = (self.ended_s - self.due_s)[self.status == 200] * 1e3
        return found

    @property
    def seconds(self) -> float:
        """From the first request to the last answer."""
        return float(self.ended_s.max() - self.due_s.min())

    def statuses(self) -> dict[int, int]:
        return dict(Counter(self.status.tolist()))


def poisson(rate: float, seconds: float, seed: int, burst: float = 1.0) -> Floats:
    """Due times, sorted. With `burst` b > 1, groups of b on average (geometric) come at once."""
    rng = np.random.default_rng(seed)
    count = max(1, int(rng.poisson(rate * seconds / burst)))
    moments = np.sort(rng.uniform(0, seconds, count))
    sizes = rng.geometric(1 / burst, count) if burst > 1 else np.ones(count, dtype=np.int64)
    return np.repeat(moments, sizes)


def offer(
    url: str,
    clip: Path,
    seconds: float,
    *,
    rate: float | None = None,
    clients: int = 1,
    key: str = "",
    seed: int = 1,
) -> Offered:
    """Open loop at `rate` requests a second, else `clients` closed loops; in its own process."""
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "load.npz"
        command = [sys.executable, "-m", "loadtest.open_loop", str(clip), "--url", url]
        command += ["--seconds", str(seconds), "--seed", str(seed), "--save", str(kept)]
        command += ["--clients", str(clients)] if rate is None else ["--rate", str(rate)]
        command += ["--key", key] if key else []
        subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        return load(kept)


def load(path: Path) -> Offered:
    with np.load(path) as kept:
        rows = {name: kept[name] for name in kept.files}
    return Offered(**{**rows, "client_cpu_s": float(rows["client_cpu_s"])})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="the running service")
    parser.add_argument("--rate", type=float, help="requests a second, Poisson")
    parser.add_argument("--clients", type=int, default=1, help="closed loops, without --rate")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--key", default="", help="a bearer key")
    parser.add_argument("--save", type=Path, help="keep every request's row, as .npz")
    arguments = parser.parse_args()
    headers = {"Authorization": f"Bearer {arguments.key}"} if arguments.key else {}
    url = f"{arguments.url.rstrip('/')}/predict"
    request = multipart_request(url, arguments.clip.read_bytes(), headers=headers)
    offered = asyncio.run(_drive(url, request, arguments))
    if arguments.save:
        np.savez(arguments.save, **vars(offered))
    print(json.dumps(summary(offered)))
    return 0


async def _drive(url: str, request: bytes, arguments: argparse.Namespace) -> Offered:
    gc.disable()  # a collection in mid-run would be taken for the server's doing
    parts = urlsplit(url)
    running = Load(str(parts.hostname), parts.port or 80, request)
    used = time.process_time()
    if arguments.rate is None:
        await _closed(running, arguments.clients, arguments.seconds)
    else:
        due = poisson(arguments.rate, arguments.seconds, arguments.seed)
        await _open(running, due.tolist())
    return _rows(running, time.process_time() - used)


async def _open(running: Load, due: list[float]) -> None:
    loop = asyncio.get_running_loop()
    over = loop.create_future()
    position = 0

    def wake() -> None:
        nonlocal position
        while position < len(due) and due[position] <= running.now():
            running.launch(due[position])
            position += 1
        if position < len(due):
            signal.setitimer(signal.ITIMER_REAL, max(1e-6, due[position] - running.now()))
        elif not over.done():
            over.set_result(None)

    loop.add_signal_handler(signal.SIGALRM, wake)
    running.begin()
    wake()
    await over
    loop.remove_signal_handler(signal.SIGALRM)
    await running.drained()


async def _closed(running: Load, clients: int, seconds: float) -> None:
    def again() -> None:
        if running.now() < seconds:
            running.launch(running.now())

    running.answered = again
    running.begin()
    for _ in range(clients):
        again()
    await asyncio.sleep(seconds)
    await running.drained()


def _rows(running: Load, cpu_s: float) -> Offered:
    return Offered(
        due_s=np.array(running.due),
        sent_s=np.array(running.sent),
        ended_s=np.array(running.ended),
        status=np.array(running.status),
        retry_after=np.array(running.retry_after),
        worked_ms=np.array([_worked(body) for body in running.bodies]),
        client_cpu_s=cpu_s,
    )


def _worked(body: bytes) -> float:
    try:
        timings: Mapping[str, float] = json.loads(body)["timings_ms"]
        return timings["prepare"] + timings["network"]
    except (ValueError, KeyError, TypeError):
        return float("nan")


def summary(offered: Offered) -> dict[str, object]:
    waits = offered.latency_ms
    shares = np.quantile(waits, [0.5, 0.95, 0.99]).round(2).tolist() if waits.size else []
    late = float(np.quantile(offered.sent_s - offered.due_s, 0.99)) * 1e3
    return {
        "answered_per_s": round(waits.size / offered.seconds, 1),
        "p50_p95_p99_ms": shares,
        "statuses": offered.statuses(),
        "sent_late_p99_ms": round(late, 3),
        "client_cpu_ms_per_request": round(offered.client_cpu_s / offered.due_s.size * 1e3, 3),
    }


if __name__ == "__main__":
    sys.exit(main())
