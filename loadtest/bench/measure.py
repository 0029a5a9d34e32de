"""The turns: every server at every case, again and again, so that a drift hits all alike.

    round 1: 1 connection: loop, raw, fastapi2, telltale; 32 connections: loop, raw, ...
    round 2: the same

Only whose turn it is runs. A server that answered too few for a figure is given more time, and a
turn in which other programs were at work is taken again: who disturbs it is not ours to choose,
but that it was disturbed shows in the CPU that neither the server nor the client used.
"""

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from loadtest.bench.clips import MAIN
from loadtest.bench.peers import kernel
from loadtest.bench.servers import LOOP, Running
from loadtest.machine import by_role, cpu_s, meanwhile, pss_mib, strangers, use
from loadtest.open_loop import BROKEN, Offered, Plan, offer
from loadtest.report import quantiles

MANY = ("raw", "fastapi2", "telltale")  # those that every clip is sent to
MANY_AT = 32  # connections, where clips and bodies are compared
TURNS = 5  # answers a connection must get at least
LONGER = 4
TRIES = 5


@dataclass(frozen=True)
class Case:
    clip: str
    body: str  # form, or raw: the clip alone; servers see from its bytes what it is
    connections: int

    def __str__(self) -> str:
        return f"{self.clip} as {self.body}, {self.connections} connections"


@dataclass(frozen=True)
class Sample:
    """One turn. Only what was answered with a 2xx counts as answered, and latencies are of all
    that was answered, with whatever status; CPU is of one request, memory PSS, both by role."""

    round: int
    server: str
    case: Case
    answered: int
    rate: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_ms: dict[str, float]
    memory_mib: dict[str, float] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)  # kind -> how many; those that occurred
    client_cpu_ms: float = 0.0
    elsewhere: float = 0.0  # cores that neither the server nor the client used, but somebody did


def rounds(
    up: Mapping[str, Running], sounds: Mapping[str, Path], options: argparse.Namespace
) -> list[Sample]:
    samples = []
    for number in range(1, options.rounds + 1):
        for case in cases(options.connections, tuple(sounds), options.quick):
            main, clip = case.clip == MAIN and case.body == "form", sounds[case.clip]
            for name in (name for name in options.only if main or name in MANY):
                if name == LOOP:
                    samples.append(looped(number, case, clip, options.seconds))
                elif name in up:
                    samples.append(measured(up[name], name, number, case, clip, options.seconds))
                else:
                    continue
                words = f"{name:9} {_in_short(samples[-1])}"
                print(f"round {number} of {options.rounds}: {case}: {words}", flush=True)
    return samples


def cases(connections: tuple[int, ...], names: tuple[str, ...], quick: bool) -> list[Case]:
    """The main table's, then every other clip as a form, then the main clip as the whole body."""
    main = [Case(MAIN, "form", number) for number in connections]
    if quick:
        return main
    others = [Case(name, "form", MANY_AT) for name in names if name != MAIN]
    return [*main, *others, Case(MAIN, "raw", MANY_AT)]


def _in_short(sample: Sample) -> str:
    errors = f", errors {sample.errors}" if sample.errors else ""
    cpu_ms = sum(sample.cpu_ms.values())
    return f"{sample.rate:7.1f} req/s, p50 {sample.p50_ms:.1f} ms, CPU {cpu_ms:.2f} ms/req{errors}"


def measured(up: Running, name: str, round_: int, case: Case, clip: Path, seconds: int) -> Sample:
    with up.awake():
        sample = _turn(up, (round_, name, case), clip, seconds)
        if sample.answered < TURNS * case.connections:
            seconds *= LONGER
            sample = _turn(up, (round_, name, case), clip, seconds)
        for _ in range(TRIES - 1):
            if meanwhile(sample.elsewhere):
                sample = _turn(up, (round_, name, case), clip, seconds)
    return sample


def _turn(up: Running, of: tuple[int, str, Case], clip: Path, seconds: int) -> Sample:
    raw, roles = of[2].body == "raw", up.server.roles
    path = up.server.raw_path if raw else "/predict"
    before = use(up.members())
    offered = offer(Plan(up.url, clip, seconds, None, of[2].connections, path=path, raw=raw))
    members = up.members()
    after = use(members)
    return sample_of(
        of,
        offered,
        by_role(cpu_s(before, after), roles),
        memory_mib=by_role(pss_mib(members), roles),
        elsewhere=strangers(before, after),
        gone=len(up.serving.difference(members.values())),
    )


def sample_of(
    of: tuple[int, str, Case],
    offered: Offered,
    cpu_s: Mapping[str, float],
    memory_mib: dict[str, float],
    elsewhere: float,
    gone: int,
) -> Sample:
    replied = offered.status != BROKEN
    answered = int(((offered.status >= 200) & (offered.status < 300)).sum())
    errors = {
        "status": int(replied.sum()) - answered,
        "connect": offered.unconnected,
        "read": int((~replied).sum()) - offered.unconnected,
        "processes gone": gone,
    }
    each = 1e3 / max(1, answered)
    p50, p95, p99 = quantiles((offered.ended_s - offered.due_s)[replied] * 1e3, 0.5, 0.95, 0.99)
    return Sample(
        *of,
        answered,
        answered / offered.seconds,
        p50,
        p95,
        p99,
        cpu_ms={role: seconds * each for role, seconds in cpu_s.items()},
        memory_mib=memory_mib,
        errors={kind: count for kind, count in errors.items() if count},
        client_cpu_ms=offered.client_cpu_s * each,
        elsewhere=elsewhere,
    )


def looped(round_: int, case: Case, clip: Path, seconds: int) -> Sample:
    """The kernel without a server, one process a core; its latency is a clip's time in one."""
    processes = os.cpu_count() or 1
    clips, used_s = kernel.worked(clip, processes, seconds)
    ms = processes * seconds * 1e3 / clips
    cpu_ms = {"kernel": used_s * 1e3 / clips}
    return Sample(round_, LOOP, case, clips, clips / seconds, ms, ms, ms, cpu_ms)
