"""Far more than the service can do: who is still served, and how soon the others hear of it.

    telltale overload clip.wav                          starts a service of its own
    telltale overload clip.wav --url URL --key KEY      KEY sees all of /status
    telltale overload clip.wav --greedy                 one key floods, another asks

The capacity comes first (closed loops), then a reference at 0.7 of it, then four times the capacity
for a minute, Poisson, from a process of its own. Exit code 1 where a bound is broken: an answer of
5xx or none, an accepted request's p99, a refusal without Retry-After, memory that grows.
"""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loadtest.command import Arguments, Words, contents, counted, exit_code, new_parser, positive
from loadtest.machine import REPORTED, by_role, pss_mib, tree
from loadtest.open_loop import BROKEN, Offered, Plan, offer
from loadtest.own_service import Target, bound, own_service, shipped
from loadtest.report import Panel, Row, figure, publish, quantiles

CLIENTS = 8  # closed loops a replica, for its capacity
REFERENCE = 0.7
MODEST_RPS = 2.0
SAMPLES = 6  # of memory and queue, in a run
REFUSED = 429


@dataclass(frozen=True)
class Sample:
    at: float
    memory_mb: Mapping[str, float]  # PSS by role
    queued: int | None  # clips at all replicas, where the status tells and is not itself refused


@dataclass(frozen=True)
class Loaded:
    capacity_rps: float
    offered: Offered
    samples: Sequence[Sample]
    modest: Offered | None = None  # another key's, beside it


def measured(arguments: Arguments) -> int:
    with ExitStack() as stack:
        if arguments.url:
            service = Target(arguments.url, key=arguments.key)
        else:
            config = bound(shipped(), arguments.replicas, arguments.replicas)
            service = stack.enter_context(own_service(arguments.port, config))
            for name, dest in (("greedy", "key"), ("modest", "modest_key")):
                made = service.request("POST", "/keys", json={"name": name, "role": "viewer"})
                setattr(arguments, dest, made.raise_for_status().json()["key"])
        reference, overload = measure(service, arguments)
    runs = {"reference": figures(reference), "overload": figures(overload)}
    wrong = broken(overload, arguments.p99_ms, arguments.memory_mb)
    facts = {
        "Offered and accepted": [
            {"": name, **{run: str(found.get(name)) for run, found in runs.items()}}
            for name in runs["overload"]
        ],
        "PSS in MB of each role, in the overload": [
            {"after_s": sample.at, **sample.memory_mb} for sample in overload.samples
        ],
        "bounds": [f"BROKEN: {one}" for one in wrong] or "Every bound was kept.",
    }
    title, plot = f"{arguments.factor:g} times the capacity", figure(panels(overload))
    publish(arguments.out, "overload", title, facts, plot, runs=runs, broken=wrong)
    return 1 if wrong else 0


def parsed(words: Words = None) -> Arguments:
    parser = new_parser("overload", __doc__)
    parser.add_argument("clip", type=contents)
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


def measure(service: Target, arguments: Arguments) -> list[Loaded]:
    """The reference, then the overload."""
    replicas, root = service.replicas()
    clients = CLIENTS * len(replicas)
    plan = Plan(service.url, arguments.clip, 8.0, clients=clients, key=arguments.key)
    offer(replace(plan, seconds=3.0))
    full = offer(plan)
    capacity = full.answered_per_s
    if not capacity:
        raise ValueError(f"no request was answered; statuses: {full.figures()['statuses']}")
    print(f"{len(replicas)} replicas answer {capacity:.0f} requests/s at {clients} closed loops")
    runs: list[Loaded] = []
    lasting = {REFERENCE: max(5.0, arguments.seconds / 3), arguments.factor: arguments.seconds}
    for factor, seconds in lasting.items():
        print(f"{factor:g} times that for {seconds:.0f} s", flush=True)
        plans = [replace(plan, seconds=seconds, rate=factor * capacity)]
        if arguments.greedy:
            plans.append(replace(plans[0], rate=MODEST_RPS, key=arguments.modest_key, seed=2))
        (greedy, *modest), samples = watched(plans, service, root)
        runs.append(Loaded(capacity, greedy, samples, *modest))
    return runs


def watched(
    plans: Sequence[Plan], service: Target, root: int
) -> tuple[list[Offered], list[Sample]]:
    """All offers at once, with looks at memory and queues before, now and then, and after."""
    begun = time.monotonic()

    def look() -> Sample:
        rows, at = service.status().get("replicas"), round(time.monotonic() - begun, 1)
        queued = sum(int(row["queued"]) for row in rows) if rows else None
        return Sample(at, by_role(pss_mib(tree([root])), REPORTED), queued)

    samples = [look()]
    with ThreadPoolExecutor(len(plans)) as pool:
        waiting = [pool.submit(offer, plan) for plan in plans]
        while wait(waiting, plans[0].seconds / SAMPLES).not_done:
            samples.append(look())
    return [one.result() for one in waiting], [*samples, look()]


def figures(run: Loaded) -> Row:
    offered = run.offered
    waits, asked_s = offered.latency_ms, float(offered.due_s.max())
    refused = offered.status == REFUSED
    refusals = (offered.ended_s - offered.sent_s)[refused] * 1e3  # until its sender knew
    modest = run.modest and {
        "modest_answered_share": _share(run.modest.status == 200),
        "modest_p50_p99_ms": quantiles(run.modest.latency_ms, 0.5, 0.99),
        "greedy_answered_share": _share(offered.status == 200),
    }
    return {
        "capacity_rps": round(run.capacity_rps, 1),
        "offered_rps": round(offered.due_s.size / asked_s, 1),
        "accepted_rps": round(waits.size / asked_s, 1),
        "accepted_of_capacity": round(waits.size / asked_s / run.capacity_rps, 3),
        **offered.figures(),
        "refused_p50_p99_ms": quantiles(refusals, 0.5, 0.99),
        "retry_after_share": _share(offered.retry_after[refused]),
        "queued": [sample.queued for sample in run.samples],
        **(modest or {}),
    }


def _share(which: NDArray[np.bool_]) -> float | None:
    return round(float(which.mean()), 4) if which.size else None


def broken(run: Loaded, most_p99_ms: float, most_memory_mb: float) -> list[str]:
    offered, found = run.offered, []
    (p99,) = quantiles(offered.latency_ms, 0.99)
    if failed := int((offered.status >= 500).sum()):
        found.append(f"{failed} answers of 5xx; 0 are allowed")
    if lost := int((offered.status == BROKEN).sum()):
        found.append(f"{lost} requests ended without an answer; 0 are allowed")
    if not p99 <= most_p99_ms:
        found.append(f"p99 of the accepted is {p99} ms; at most {most_p99_ms:g} are allowed")
    if silent := int(((offered.status == REFUSED) & ~offered.retry_after).sum()):
        found.append(f"{silent} refusals had no Retry-After")
    # The first look is at a service that has not met the load: buffers that it then keeps are no
    # leak, so growth counts from the second.
    for role, first in run.samples[1].memory_mb.items():
        growth = run.samples[-1].memory_mb.get(role, 0.0) - first
        if growth > most_memory_mb:
            found.append(f"{role} grew by {growth:.0f} MB; at most {most_memory_mb:g} allowed")
    return found


def panels(run: Loaded) -> list[Panel]:
    """Of requests by the second in which they were due."""
    from pandas import DataFrame, Series

    offered, named = run.offered, {200: "accepted", REFUSED: "refused"}
    kinds = Series(offered.status).map(named)
    waits_ms = Series(offered.ended_s - offered.due_s) * 1e3
    each = waits_ms.groupby([np.floor(offered.due_s), kinds])
    rates = each.size().unstack(fill_value=0).assign(capacity=run.capacity_rps)
    p99s = each.agg(lambda ms: quantiles(ms, 0.99)[0]).unstack().add_suffix(", p99")
    sizes = DataFrame([one.memory_mb for one in run.samples], [one.at for one in run.samples])
    return [
        Panel("Requests", rates, y="a second"),
        Panel("Latency", p99s, y="ms", log="y"),
        Panel("Memory", sizes, y="PSS, MB"),
    ]


if __name__ == "__main__":
    raise SystemExit(exit_code(measured, parsed()))
