"""A load as its caller sees it: offered by a process of its own, and what came of each request."""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.errors import NotReady

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Offered:
    """An entry a request; seconds from the start of the load. `status` 0: no answer came."""

    due_s: Floats
    sent_s: Floats
    ended_s: Floats
    status: NDArray[np.int64]
    retry_after: NDArray[np.bool_]
    worked_ms: Floats  # decoding, features and network by the answer's own account; else NaN
    client_cpu_s: float
    unconnected: int = 0  # of those without an answer, those that found nobody to connect to

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


def quantiles(values: Floats, *shares: float) -> list[float | None]:
    """To two places; None where there are no values."""
    if not values.size:
        return [None] * len(shares)
    found: list[float | None] = np.quantile(values, shares).round(2).tolist()
    return found


def poisson(rate: float, seconds: float, seed: int, burst: float = 1.0) -> Floats:
    """Due times, sorted. With `burst` b > 1, groups of b on average (geometric) come at once."""
    rng = np.random.default_rng(seed)
    count = max(1, int(rng.poisson(rate * seconds / burst)))
    moments = np.sort(rng.uniform(0, seconds, count))
    sizes = rng.geometric(1 / burst, count) if burst > 1 else np.ones(count, dtype=np.int64)
    return np.repeat(moments, sizes)


def command(url: str, clip: Path, seconds: float, *options: object) -> list[str]:
    words = [sys.executable, "-m", "loadtest.open_loop", clip, "--url", url]
    return [str(word) for word in (*words, "--seconds", seconds, *options)]


def offer(
    url: str,
    clip: Path,
    seconds: float,
    *options: str,
    rate: float | None = None,
    clients: int = 1,
    key: str = "",
    seed: int = 1,
) -> Offered:
    """Open loop at `rate` requests a second, else `clients` closed loops; in its own process.
    `options` are more of the command's. Raises NotReady with its last words where it could not."""
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "load.npz"
        load = ("--clients", clients) if rate is None else ("--rate", rate)
        words = command(url, clip, seconds, "--seed", seed, "--save", kept, *load, *options)
        # The key goes through the environment: a command line can be read by everybody.
        environment = os.environ | {"TELLTALE_KEY": key}
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no words"])[-1]
            raise NotReady(f"the client ended with {done.returncode}: {last}")
        with np.load(kept) as arrays:
            columns = {name: arrays[name] for name in arrays.files}
        scalars = {name: columns[name].item() for name in ("client_cpu_s", "unconnected")}
        return Offered(**{**columns, **scalars})
