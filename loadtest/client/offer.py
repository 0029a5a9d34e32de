"""A load as its caller sees it: offered by a process of its own, and what came of each request.

An interval timer's signal wakes the sender to within microseconds; an event loop's own timer rounds
up to milliseconds. A latency counts from the moment a request was due, so a client that falls
behind shows. The client's CPU is part of the result.
"""

import asyncio
import gc
import json
import multiprocessing
import signal
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loadtest.client.clip import FORM_TYPE, form
from loadtest.client.http_load import Load, post

Floats = NDArray[np.float64]
COLUMNS = ("due_s", "sent_s", "ended_s", "status", "retry_after")  # taken as they are


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

    @property
    def answered_per_s(self) -> float:
        return self.latency_ms.size / self.seconds

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


@dataclass(frozen=True)
class Plan:
    """Open loop at `rate` requests a second, Poisson, else `clients` closed loops. `raw`: the clip
    is the whole body, no form."""

    url: str
    clip: Path
    seconds: float
    rate: float | None = None
    clients: int = 1
    key: str = ""
    seed: int = 1
    path: str = "/predict"
    raw: bool = False


def offer(plan: Plan) -> Offered:
    """In a process of its own. Raises OSError for a clip that cannot be read."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, fresh) as pool:
        return pool.submit(offer_here, plan).result()


def offer_here(plan: Plan) -> Offered:
    """In this process, whose signals it takes."""
    clip, url = plan.clip.read_bytes(), f"{plan.url.rstrip('/')}{plan.path}"
    content_type, body = ("audio/wav", clip) if plan.raw else (FORM_TYPE, form("file", [clip]))
    load = Load(url, post(url, content_type, body, plan.key))
    gc.disable()  # a collection in mid-run would be taken for the server's doing
    used = time.process_time()
    if plan.rate is None:
        asyncio.run(_closed(load, plan.clients, plan.seconds))
    else:
        asyncio.run(_open(load, poisson(plan.rate, plan.seconds, plan.seed).tolist()))
    used, requests = time.process_time() - used, load.requests
    return Offered(
        **{name: np.array([getattr(request, name) for request in requests]) for name in COLUMNS},
        worked_ms=np.array([_worked(request.body) for request in requests]),
        client_cpu_s=used,
        unconnected=load.unconnected,
    )


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
    """For so long, or until Ctrl-C, after which there are figures as well."""
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, over.set)

    def again() -> None:
        if not over.is_set():
            running.launch(running.now())

    running.answered = again
    running.begin()
    for _ in range(clients):
        again()
    with suppress(TimeoutError):
        await asyncio.wait_for(over.wait(), seconds)
    over.set()
    await running.drained()


def _worked(body: bytes) -> float:
    try:
        timings: Mapping[str, float] = json.loads(body)["timings_ms"]
        return timings["prepare"] + timings["network"]
    except (ValueError, KeyError, TypeError):
        return float("nan")
