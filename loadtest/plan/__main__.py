"""Past one machine, on paper: the nodes that a rate needs, and whether the paper is right.

    telltale plan --rps 10000 --p95-ms 100                 times measured here, then sized
    telltale plan --rps 10000 --p95-ms 100 --times times.json
    telltale plan --check --out results                    predicted against measured

The times of one request are measured at a service on this machine (`service_times.py`) and left in
--out as times.json; a node is simulated with them (`queueing.py`, where the model stands), and
nodes are added until the p95 holds (`sizing.py`). A node's cores are taken to be like ours.
"""

import argparse
import tempfile
from contextlib import nullcontext
from pathlib import Path

from loadtest.clip import tone_in_noise
from loadtest.command import Words, argument_parser, counted, existing, exit_code, positive
from loadtest.own_service import Target, bound, own_service, shipped
from loadtest.plan import service_times
from loadtest.plan.check import check
from loadtest.plan.service_times import Times
from loadtest.plan.sizing import Plan, Wish, cpu_ms, size
from loadtest.report import write_json


def planned(arguments: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory() as folder:
        if not arguments.clip:
            arguments.clip = Path(folder) / "clip.wav"
            arguments.clip.write_bytes(tone_in_noise())
        return check(arguments) if arguments.check else plan(arguments)


def parsed(words: Words = None) -> argparse.Namespace:
    parser = argument_parser("plan", __doc__)
    parser.add_argument("--rps", type=positive, help="requests a second that are to be served")
    parser.add_argument("--p95-ms", type=positive, default=100.0)
    parser.add_argument("--cores-per-node", type=counted, default=16)
    parser.add_argument("--burst", type=positive, default=1.0, help="that come at once, on average")
    parser.add_argument("--headroom", type=float, default=0.2, help="carried on top of --rps")
    parser.add_argument("--clip", type=existing, help="default: 5 s of synthesised sound")
    parser.add_argument("--times", type=Path, help="service times that were measured before")
    here = "a service on this machine with one replica; default: start one"
    parser.add_argument("--url", help=here)
    parser.add_argument("--port", type=int, default=8120, help="of the service that is started")
    parser.add_argument("--check", action="store_true", help="predicted against measured, here")
    parser.add_argument("--seconds", type=positive, default=10.0, help="of each measurement")
    parser.add_argument("--out", type=Path, default=Path("var/plan"))
    parser.add_argument("--anyway", action="store_true", help="check on a busy machine, and say so")
    arguments = parser.parse_args(words)
    if not arguments.check and arguments.rps is None:
        parser.error("say how much is to be served, such as --rps 10000, or ask for --check")
    if arguments.burst < 1 or arguments.headroom < 0:
        parser.error("--burst is at least 1, --headroom at least 0")
    return arguments


def plan(arguments: argparse.Namespace) -> int:
    if arguments.times:
        found = service_times.read(arguments.times)
    else:
        given = nullcontext(Target(arguments.url)) if arguments.url else None
        with given or own_service(arguments.port, bound(shipped(), 1, 1)) as service:
            found = service_times.measure(service, arguments.clip, arguments.seconds)
        arguments.out.mkdir(parents=True, exist_ok=True)
        write_json(arguments.out / "times.json", found)
    asked = ("rps", "p95_ms", "cores_per_node", "burst", "headroom")
    wish = Wish(**{name: getattr(arguments, name) for name in asked})
    print(service_times.in_words(found), end="\n\n")
    print(in_words(size(wish, found.costs, found.node(1)), wish, found))
    return 0


def in_words(found: Plan, wish: Wish, measured: Times) -> str:
    outcome, cores = found.outcome, wish.cores_per_node
    p50, p95, p99 = (outcome.quantile(share) for share in (0.5, 0.95, 0.99))
    work_cores = wish.rps * cpu_ms(measured.costs, measured.node(1)) / 1e3
    return f"""{wish.rps:g} requests/s with a p95 of at most {wish.p95_ms:g} ms:
  {found.nodes} nodes of {cores} cores with {found.replicas} replicas each, \
{found.nodes * found.replicas} replicas in all
  predicted p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms
  each node uses {outcome.used_cores:.1f} of {cores} cores ({outcome.used_cores / cores:.0%}); \
batches of {outcome.batch:.1f} clips; its HAProxy uses {found.proxy_cores:.2f} of its one core
  carries {found.carries_rps:.0f} requests/s before the p95 breaks: \
{found.carries_rps / wish.rps - 1:.0%} headroom
  cross-check, square-root rule: {found.staffing} replicas for {work_cores:.0f} cores of work"""


if __name__ == "__main__":
    raise SystemExit(exit_code("plan", planned, parsed()))
