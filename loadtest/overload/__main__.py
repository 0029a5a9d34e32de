"""Far more than the service can do: who is still served, and how soon the others hear of it.

    telltale overload clip.wav                          starts a service of its own
    telltale overload clip.wav --url URL --key KEY      KEY sees all of /status
    telltale overload clip.wav --greedy                 one key floods, another asks

The capacity comes first (closed loops), then a reference at 0.7 of it, then four times the capacity
for a minute, Poisson, from a process of its own. Exit code 1 where a bound is broken: an answer of
5xx or none, an accepted request's p99, a refusal without Retry-After, memory that grows.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from loadtest import command
from loadtest.client.offer import Offered, Plan, offer
from loadtest.command import counted, existing, positive
from loadtest.machine import usage
from loadtest.machine.processes import tree
from loadtest.overload.report import Bounds, Loaded, Sample, broken, comparison, figures, panels
from loadtest.own_service import fixed_replicas, own_service
from loadtest.report import figure, page, publish

CLIENTS = 8  # closed loops a replica, for its capacity
REFERENCE = 0.7
MODEST_RPS = 2.0
SAMPLES = 6  # of memory and queue, in a run


@dataclass(frozen=True)
class Target:
    url: str
    key: str
    modest_key: str


def main() -> int:
    arguments = parsed()
    return command.exit_code("overload", lambda: measured(arguments))


def measured(arguments: argparse.Namespace) -> int:
    with _target(arguments) as target:
        reference, overload = measure(target, arguments)
    facts = {"reference": figures(reference), "overload": figures(overload)}
    wrong = broken(overload, Bounds(arguments.p99_ms, arguments.memory_mb))
    text = page(
        f"{overload.factor:g} times the capacity",
        comparison(facts),
        "\n".join(f"- BROKEN: {one}" for one in wrong) or "Every bound was kept.",
    )
    publish(arguments.out, "overload", text, facts | {"broken": wrong}, figure(panels(overload)))
    return 1 if wrong else 0


def parsed(words: list[str] | None = None) -> argparse.Namespace:
    parser = command.parser("telltale overload", __doc__)
    parser.add_argument("clip", type=existing)
    parser.add_argument("--url", help="a service on this machine; default: start one")
    own = "of the service that is started"
    parser.add_argument("--port", type=int, default=8120, help=own)
    parser.add_argument("--replicas", type=counted, default=2, help=own)
    parser.add_argument("--key", default="", help="a bearer key; with --greedy, the greedy one")
    parser.add_argument("--modest-key", default="", help="another's, for --greedy")
    parser.add_argument("--seconds", type=positive, default=60.0)
    parser.add_argument("--factor", type=positive, default=4.0, help="of the capacity")
    parser.add_argument("--greedy", action="store_true", help="one key floods, another asks")
    parser.add_argument("--p99-ms", type=float, default=1000.0, help="of the accepted, at most")
    parser.add_argument("--memory-mb", type=float, default=64.0, help="growth of a role, at most")
    parser.add_argument("--out", type=Path, default=Path("var/overload"))
    arguments = parser.parse_args(words)
    if arguments.greedy and arguments.url and not (arguments.key and arguments.modest_key):
        parser.error("--greedy needs two keys of a running service: --key and --modest-key")
    return arguments


@contextmanager
def _target(arguments: argparse.Namespace) -> Iterator[Target]:
    if arguments.url:
        yield Target(arguments.url, arguments.key, arguments.modest_key)
        return
    with own_service(arguments.port, fixed_replicas(arguments.replicas)) as service:
        made = [
            service.request("POST", "/keys", json={"name": name, "role": "viewer"})
            for name in ("greedy", "modest")
        ]
        yield Target(service.url, *(one.raise_for_status().json()["key"] for one in made))


def measure(target: Target, arguments: argparse.Namespace) -> list[Loaded]:
    """The reference first, then the overload; with --greedy the modest one's rows come beside."""
    _, replicas, root = usage.replicas(target.url)
    clients = CLIENTS * len(replicas)
    plan = Plan(target.url, arguments.clip, 8.0, clients=clients, key=target.key)
    offer(replace(plan, seconds=3.0))
    full = offer(plan)
    capacity = full.answered_per_s
    if not capacity:
        raise ValueError(f"no request was answered; statuses: {full.statuses()}")
    print(f"{len(replicas)} replicas answer {capacity:.0f} requests/s at {clients} closed loops")
    runs: list[Loaded] = []
    lasting = {REFERENCE: max(5.0, arguments.seconds / 3), arguments.factor: arguments.seconds}
    for factor, seconds in lasting.items():
        print(f"{factor:g} times that for {seconds:.0f} s", flush=True)
        plans = [replace(plan, seconds=seconds, rate=factor * capacity)]
        if arguments.greedy:
            plans.append(replace(plans[0], rate=MODEST_RPS, key=target.modest_key, seed=2))
        found, samples = watched(plans, target, root, seconds)
        modest = found[1] if arguments.greedy else None
        runs.append(Loaded(factor, capacity, found[0], samples, modest))
    return runs


def watched(
    plans: Sequence[Plan], target: Target, root: int, seconds: float
) -> tuple[list[Offered], list[Sample]]:
    """All offers at once, with looks at memory and queues before, now and then, and after."""

    def look(at: float) -> Sample:
        return Sample(at, usage.memory_mb(tree([root])), _queued(target))

    samples = [look(0.0)]
    with ThreadPoolExecutor(len(plans)) as pool:
        waiting = [pool.submit(offer, plan) for plan in plans]
        for number in range(1, SAMPLES):
            if not wait(waiting, seconds / SAMPLES).not_done:
                break
            samples.append(look(number * seconds / SAMPLES))
        found = [one.result() for one in waiting]
    return found, [*samples, look(seconds)]


def _queued(target: Target) -> int | None:
    """Clips that wait at all replicas, where the status tells and is not itself refused."""
    headers = {"Authorization": f"Bearer {target.key}"} if target.key else {}
    try:
        found = httpx.get(f"{target.url}/status", headers=headers, timeout=2, trust_env=False)
        domains = found.raise_for_status().json()["domains"].values()
        return sum(int(row["queued"]) for domain in domains for row in domain["replicas"])
    except (httpx.HTTPError, KeyError, ValueError):
        return None


if __name__ == "__main__":
    sys.exit(main())
