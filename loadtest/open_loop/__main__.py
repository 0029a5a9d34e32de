"""Requests that leave when they are due, whether or not the last was answered.

    python -m loadtest.open_loop clip.wav --rate 100 --seconds 10       Poisson arrivals
    python -m loadtest.open_loop clip.wav --clients 32 --seconds 10     closed loops instead

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
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from loadtest.arguments import counted, existing, positive
from loadtest.client.wire import multipart_request
from loadtest.open_loop.offer import Offered, poisson
from loadtest.open_loop.wire_load import Load


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m loadtest.open_loop",
        description=__doc__.splitlines()[0] if __doc__ else None,
    )
    parser.add_argument("clip", type=existing)
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="the running service")
    parser.add_argument("--rate", type=positive, help="requests a second, Poisson")
    parser.add_argument("--clients", type=counted, default=1, help="closed loops, without --rate")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--key",
        default=os.environ.get("TELLTALE_KEY", ""),
        help="a bearer key; or set TELLTALE_KEY",
    )
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
