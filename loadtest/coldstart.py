"""How long replicas take from being asked for to their first answer, when 1 becomes 3.

    python -m loadtest.coldstart clip.wav
    python -m loadtest.coldstart clip.wav --spares 0        without processes that stand by

It starts a service of its own (TELLTALE_HOME, TELLTALE_PORT). At `rest` and under `load` (32
connections) Serve's REST interface is told the number; in `step` the load falls upon one replica
and the autoscaler decides. A replica has its process when Ray names one after it; HAProxy's own
counts tell when it knows the replica (routed) and when it had an answer from it (answered).
"""

import argparse
import contextlib
import csv
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import yaml

from data.errors import NotReady
from loadtest import command
from loadtest.client.offer import command as load_command
from loadtest.machine.processes import command as command_line
from loadtest.machine.processes import running as processes
from serve_app.cluster.launch import SERVE_YAML, running, serve_config
from serve_app.cluster.ray_environment import prepare_environment
from serve_app.cluster.ray_internals.applications import deploy
from serve_app.settings import Settings, settings_from_env

PATIENCE_S = 60.0
CONDITIONS = ("rest", "load", "step")
STAGES = ("process", "routed", "answered")
CONNECTIONS = 32

Times = dict[str, float]


def main() -> int:
    parser = command.parser("coldstart", __doc__)
    parser.add_argument("clip", type=command.existing)
    parser.add_argument("--conditions", nargs="+", default=CONDITIONS, choices=CONDITIONS)
    parser.add_argument("--replicas", type=int, default=3, help="from 1 to how many")
    parser.add_argument("--times", type=command.counted, default=5)
    parser.add_argument("--spares", type=int, help="default: what deploy/serve.yaml says")
    parser.add_argument("--pause-s", type=float, default=15, help="for the next spares to start")
    arguments = parser.parse_args()
    command.stop_on_signal()
    return command.exit_code("coldstart", lambda: measure(arguments))


def measure(arguments: argparse.Namespace) -> int:
    settings = settings_from_env()
    with tempfile.TemporaryDirectory() as name:
        config = configuration(Path(name), arguments.spares)
        prepare_environment(settings)
        with running(settings, lambda text: print(f"  {text}", flush=True), config):
            for condition in arguments.conditions:
                once = partial(one_round, condition, settings, config, arguments)
                rounds = [once() for _ in range(arguments.times)]
                middle = {s: statistics.median(times[s] for times in rounds) for s in STAGES}
                print_times(f"{condition}, median of {len(rounds)}", middle)
    return 0


def one_round(
    condition: str, settings: Settings, config: Path, arguments: argparse.Namespace
) -> Times:
    """Seconds from asking until the last of the new replicas reached each stage."""
    domain, many = settings.domains[0], arguments.replicas
    scale(settings, config, 1, 1)
    until_one(domain)
    if condition == "step":
        scale(settings, config, 1, many)
    with contextlib.ExitStack() as stack:
        if condition == "load":
            stack.enter_context(driving(settings.url, arguments.clip))
        time.sleep(arguments.pause_s)
        before, known = replicas(domain), set(servers(domain))
        asked = time.monotonic()
        if condition == "step":
            stack.enter_context(driving(settings.url, arguments.clip))
        else:
            scale(settings, config, many, many)
        times = watch(settings, before, known, many - 1, asked)
    print_times(condition, times)
    return times


def watch(settings: Settings, before: set[int], known: set[str], more: int, asked: float) -> Times:
    times: Times = {}
    with httpx.Client(base_url=settings.url, trust_env=False) as client:
        while "answered" not in times and time.monotonic() - asked < PATIENCE_S:
            client.get("/model-info")  # at rest somebody must ask
            answers = [n for name, n in servers(settings.domains[0]).items() if name not in known]
            started = len(replicas(settings.domains[0]) - before)
            counts = (started, len(answers), sum(count > 0 for count in answers))
            for stage, count in zip(STAGES, counts, strict=True):
                if count >= more:
                    times.setdefault(stage, time.monotonic() - asked)
            time.sleep(0.02)
    return {stage: times.get(stage, float("inf")) for stage in STAGES}


def replicas(domain: str) -> set[int]:
    """Pids on this machine that Ray has named after a replica of the domain."""
    title = f"ray::ServeReplica:{domain}:"
    return {one.pid for one in processes() if command_line(one.pid).startswith(title)}


def servers(domain: str) -> dict[str, int]:
    url = f"http://127.0.0.1:{os.environ['RAY_SERVE_HAPROXY_STATS_PORT']}/stats;csv"
    return answered(httpx.get(url, trust_env=False).text, domain)


def answered(statistics: str, domain: str) -> dict[str, int]:
    """HAProxy's servers for the domain -> how often each has answered 2xx; backups left out."""
    return {
        row["svname"]: int(row["hrsp_2xx"] or 0)
        for row in csv.DictReader(statistics.lstrip("# ").splitlines())
        if domain in row["pxname"] and row["type"] == "2" and row["bck"] == "0"
    }


def scale(settings: Settings, config: Path, least: int, most: int) -> None:
    wanted = serve_config(settings, config)
    app = next(app for app in wanted["applications"] if app["name"] == settings.domains[0])
    limits = {"min_replicas": least, "initial_replicas": least, "max_replicas": most}
    app["deployments"][0]["autoscaling_config"].update(limits)
    deploy(wanted)


def configuration(folder: Path, spares: int | None) -> Path:
    config = yaml.safe_load(SERVE_YAML.read_text(encoding="utf-8"))
    curator = next(app for app in config["applications"] if app["name"] == "curator")
    if spares is not None:
        curator["args"] = {"spares": spares}
    path = folder / "serve.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


@contextlib.contextmanager
def driving(url: str, clip: Path) -> Iterator[None]:
    words = load_command(url, clip, 600, "--clients", CONNECTIONS)
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        found = json.loads(process.communicate()[0])
        bad = {status: n for status, n in found["statuses"].items() if status != "200"}
        print(f"  {found['answered_per_s']} req/s, others by status: {bad or 'none'}", flush=True)


def until_one(domain: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while (number := len(replicas(domain))) != 1:
        if time.monotonic() > deadline:
            raise NotReady(f"{number} replicas run after {PATIENCE_S:g} s; one was asked for")
        time.sleep(0.2)


def print_times(name: str, times: Times) -> None:
    row = "   ".join(f"{stage} {times[stage]:5.2f} s" for stage in STAGES)
    print(f"{name}: {row}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
