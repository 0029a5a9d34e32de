"""How long replicas take from being asked for to their first answer, when 1 becomes 3.

    telltale coldstart clip.wav
    telltale coldstart clip.wav --spares 0        without processes that stand by

It starts a service of its own, whose number of replicas Serve's REST interface is told, at `rest`
and under `load` (32 connections). A replica has its process when Ray names one after it; HAProxy's
own counts tell when it knows the replica (routed) and when it had an answer from it (answered).
"""

import csv
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import httpx
import numpy as np

from loadtest import command
from loadtest.own_service import Service, own_service, shipped
from serve_app.cluster.ray_internals.environment import STATISTICS

PATIENCE_S = 60.0
CONDITIONS = ("rest", "load")
STAGES = ("process", "routed", "answered")
CONNECTIONS = 32


def parsed(words: command.Words = None) -> command.Arguments:
    parser = command.new_parser("coldstart", __doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--conditions", nargs="+", default=CONDITIONS, choices=CONDITIONS)
    parser.add_argument("--replicas", type=int, default=3, help="from 1 to how many")
    parser.add_argument("--times", type=command.counted, default=5)
    parser.add_argument("--spares", type=int, help="default: what deploy/serve.yaml says")
    parser.add_argument("--pause-s", type=float, default=15, help="for the next spares to start")
    parser.add_argument("--domain", default="faults")
    parser.add_argument("--port", type=int, default=8120, help="of the service that is started")
    return parser.parse_args(words)


def measure(arguments: command.Arguments) -> None:
    config = shipped()
    if arguments.spares is not None:
        curator = next(app for app in config["applications"] if app["name"] == "curator")
        curator["args"] = {"spares": arguments.spares}
    with own_service(arguments.port, config, arguments.domain) as service:
        for condition in arguments.conditions:
            rounds = [one_round(condition, service, arguments) for _ in range(arguments.times)]
            print_times(f"{condition}, median of {len(rounds)}", np.median(rounds, axis=0))


def one_round(condition: str, service: Service, arguments: command.Arguments) -> list[float]:
    """Seconds from asking until the last of the new replicas reached each of the stages."""
    many = arguments.replicas
    counts = f"http://127.0.0.1:{service.variable(STATISTICS)}/stats;csv"
    service.resize(1)
    with driving(service.url, arguments.clip) if condition == "load" else nullcontext():
        time.sleep(arguments.pause_s)
        before, known = service.pids("replica"), set(answered(counts, service.domain))
        asked = time.monotonic()
        service.scale(many, many)
        times = [float("inf")] * len(STAGES)
        while np.isinf(times[-1]) and time.monotonic() - asked < PATIENCE_S:
            service.shows("/model-info")  # at rest somebody must ask
            found = answered(counts, service.domain)
            answers = [count for name, count in found.items() if name not in known]
            started = len(service.pids("replica") - before)
            for stage, count in enumerate((started, len(answers), sum(map(bool, answers)))):
                if count >= many - 1:
                    times[stage] = min(times[stage], time.monotonic() - asked)
            time.sleep(0.02)
    print_times(condition, times)
    return times


def answered(counts: str, domain: str) -> dict[str, int]:
    """Of the domain's servers by the counts of HAProxy, at their address: how often each has
    answered 2xx; backups left out."""
    lines = httpx.get(counts, trust_env=False).text.lstrip("# ").splitlines()
    return {
        row["svname"]: int(row["hrsp_2xx"] or 0)
        for row in csv.DictReader(lines)
        if domain in row["pxname"] and row["type"] == "2" and row["bck"] == "0"
    }


@contextmanager
def driving(url: str, clip: Path) -> Iterator[None]:
    words = [sys.executable, "-m", "loadtest.open_loop", str(clip), "--url", url]
    words += ["--seconds", "600", "--clients", str(CONNECTIONS)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        found = json.loads(process.communicate()[0])
        bad = {status: n for status, n in found["statuses"].items() if status != "200"}
        print(f"  {found['answered_per_s']} req/s, others by status: {bad or 'none'}", flush=True)


def print_times(name: str, times: Iterable[float]) -> None:
    row = "   ".join(f"{stage} {s:5.2f} s" for stage, s in zip(STAGES, times, strict=True))
    print(f"{name}: {row}", flush=True)


if __name__ == "__main__":
    raise SystemExit(command.exit_code(measure, parsed()))
