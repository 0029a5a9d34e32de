"""The turns: every server at every case, again and again, so that a drift hits all alike.

Only whose turn it is runs. A server that answered too few for a figure is given more time, and a
turn in which other programs were at work is taken again: who disturbs it is not ours to choose,
but that it was disturbed shows in the CPU that neither the server nor the client used.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from loadtest.bench.peers import inference
from loadtest.bench.servers import LOOP, Running
from loadtest.clip import MAIN
from loadtest.command import Arguments
from loadtest.machine import by_role, cpu_s, meanwhile, pss_mib, strangers, use
from loadtest.open_loop import BROKEN, Offered, Plan, offer
from loadtest.report import Row, percentiles

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

    @property
    def main(self) -> bool:
        return (self.clip, self.body) == (MAIN, "form")

    @property
    def at(self) -> str:
        return f"{self.connections} connection{'s' * (self.connections > 1)}"


def rounds(up: Mapping[str, Running], sounds: Mapping[str, bytes], options: Arguments) -> list[Row]:
    samples, all_cases = list[Row](), cases(options.connections, tuple(sounds), options.quick)
    for number, case, name in product(range(1, options.rounds + 1), all_cases, options.only):
        if not (case.main or name in MANY) or name not in {LOOP, *up}:
            continue
        turn = sounds[case.clip], options.seconds
        one = looped(*turn) if name == LOOP else measured(up[name], case, *turn)
        samples.append({"round": number, "server": name, "case": case, **one})
        words = f"{name:9} {one['rate']:7.1f} req/s, p50 {one['p50_ms']:.1f} ms"
        words += f", CPU {sum(one['cpu_ms'].values()):.2f} ms/req, {one['errors'] or 'no errors'}"
        about = f"round {number} of {options.rounds}: {case.clip} as {case.body}, {case.at}"
        print(f"{about}: {words}", flush=True)
    return samples


def cases(connections: tuple[int, ...], names: tuple[str, ...], quick: bool) -> list[Case]:
    """The main table's, then every other clip as a form, then the main clip as the whole body."""
    main = [Case(MAIN, "form", number) for number in connections]
    if quick:
        return main
    others = [Case(name, "form", MANY_AT) for name in names if name != MAIN]
    return [*main, *others, Case(MAIN, "raw", MANY_AT)]


def measured(up: Running, case: Case, clip: bytes, seconds: int) -> Row:
    raw, clients, roles = case.body == "raw", case.connections, up.server.roles
    path = up.server.raw_path if raw else "/predict"

    def turn(seconds: int) -> Row:
        before = use(up.members())
        offered = offer(Plan(up.url, clip, seconds, clients=clients, path=path, raw=raw))
        members = up.members()
        after = use(members)
        return sample_of(
            offered,
            by_role(cpu_s(before, after), roles),
            gone=len(up.serving.difference(members.values())),
            memory_mib=by_role(pss_mib(members), roles),
            elsewhere=strangers(before, after),
        )

    with up.awake():
        sample = turn(seconds)
        if sample["answered"] < TURNS * clients:
            seconds *= LONGER
            sample = turn(seconds)
        for _ in range(TRIES - 1):
            if meanwhile(sample["elsewhere"]):
                sample = turn(seconds)
    return sample


def sample_of(offered: Offered, cpu_s: Mapping[str, float], gone: int = 0, **more: object) -> Row:
    """Latencies are of all that was answered, with whatever status; CPU is of one request, memory
    PSS, both by role; `elsewhere` are cores that neither the server nor the client used."""
    replied = offered.status != BROKEN
    answered = int((offered.status // 100 == 2).sum())
    errors = {
        "status": int(replied.sum()) - answered,
        "connect": offered.unconnected,
        "read": int((~replied).sum()) - offered.unconnected,
        "processes gone": gone,
    }
    each = 1e3 / max(1, answered)
    return {
        "answered": answered,
        "rate": answered / offered.seconds,
        **percentiles((offered.ended_s - offered.due_s)[replied] * 1e3),
        "cpu_ms": {role: seconds * each for role, seconds in cpu_s.items()},
        "errors": {kind: count for kind, count in errors.items() if count},
        "client_cpu_ms": offered.client_cpu_s * each,
        **more,
    }


def looped(clip: bytes, seconds: int) -> Row:
    """The kernel without a server, one process a core; its latency is a clip's time in one."""
    processes = os.cpu_count() or 1
    clips, used_s = inference.worked(clip, processes, seconds)
    return {
        "answered": clips,
        "rate": clips / seconds,
        **dict.fromkeys(("p50_ms", "p95_ms", "p99_ms"), processes * seconds * 1e3 / clips),
        "cpu_ms": {"kernel": used_s * 1e3 / clips},
        **{"errors": {}, "memory_mib": {}, "client_cpu_ms": 0.0, "elsewhere": 0.0},
    }
