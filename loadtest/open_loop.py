"""Requests that leave when they are due, whether or not the last was answered.

    telltale open-loop clip.wav --rate 100 --seconds 10       Poisson arrivals
    telltale open-loop clip.wav --clients 32 --seconds 10     closed loops instead

An interval timer's signal wakes the sender to within microseconds; an event loop's own timer rounds
up to milliseconds. A latency counts from the moment a request was due, so a client that falls
behind shows. `offer.py` runs it in a process of its own, whose CPU is part of the result.
"""

import argparse
import asyncio
import gc
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from loadtest.client.clip import FORM_TYPE, form
from loadtest.client.http_load import Load, post
from loadtest.client.offer import Offered, poisson, quantiles
from loadtest.command import counted, existing, parser, positive


def main() -> int:
    arguments = parsed()
    clip = arguments.clip.read_bytes()
    content_type, body = ("audio/wav", clip) if arguments.raw else (FORM_TYPE, form("file", [clip]))
    url = f"{arguments.url.rstrip('/')}{arguments.path}"
    load = Load(url, post(url, content_type, body, arguments.key))
    offered = asyncio.run(_drive(load, arguments))
    if arguments.save:
        np.savez(arguments.save, **vars(offered))
    print(json.dumps(summary(offered)))
    return 0


def parsed() -> argparse.Namespace:
    words = parser("telltale open-loop", __doc__)
    words.add_argument("clip", type=existing)
    words.add_argument("--url", default="http://127.0.0.1:8000", help="the running service")
    words.add_argument("--path", default="/predict")
    words.add_argument("--raw", action="store_true", help="the clip is the whole body, no form")
    words.add_argument("--rate", type=positive, help="requests a second, Poisson")
    words.add_argument("--clients", type=counted, default=1, help="closed loops, without --rate")
    words.add_argument("--seconds", type=float, default=10.0)
    words.add_argument("--seed", type=int, default=1)
    key = os.environ.get("TELLTALE_KEY", "")
    words.add_argument("--key", default=key, help="a bearer key; or set TELLTALE_KEY")
    words.add_argument("--save", type=Path, help="keep every request's row, as .npz")
    return words.parse_args()


async def _drive(load: Load, arguments: argparse.Namespace) -> Offered:
    gc.disable()  # a collection in mid-run would be taken for the server's doing
    used = time.process_time()
    if arguments.rate is None:
        await _closed(load, arguments.clients, arguments.seconds)
    else:
        due = poisson(arguments.rate, arguments.seconds, arguments.seed)
        await _open(load, due.tolist())
    return _offered(load, time.process_time() - used)


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


def _offered(load: Load, cpu_s: float) -> Offered:
    requests = load.requests
    return Offered(
        due_s=np.array([request.due for request in requests]),
        sent_s=np.array([request.sent for request in requests]),
        ended_s=np.array([request.ended for request in requests]),
        status=np.array([request.status for request in requests]),
        retry_after=np.array([request.retry_after for request in requests]),
        worked_ms=np.array([_worked(request.body) for request in requests]),
        client_cpu_s=cpu_s,
        unconnected=load.unconnected,
    )


def _worked(body: bytes) -> float:
    try:
        timings: Mapping[str, float] = json.loads(body)["timings_ms"]
        return timings["prepare"] + timings["network"]
    except (ValueError, KeyError, TypeError):
        return float("nan")


def summary(offered: Offered) -> dict[str, object]:
    waits = offered.latency_ms
    shares = quantiles(waits, 0.5, 0.95, 0.99) if waits.size else []
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
