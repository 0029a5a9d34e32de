"""One turn of one server: a client's load, and what it cost whom.

Only whose turn it is runs. A server that answered too few for a figure is given more time, and a
turn in which other programs were at work is taken again: who disturbs it is not ours to choose,
but that it was disturbed shows in the CPU that neither the server nor the client used.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from data.install_paths import CODE
from loadtest.bench.driver import Load, drive
from loadtest.bench.peers.kernel import BUNDLE
from loadtest.bench.servers import ONE_THREAD, Running, awake
from loadtest.machine.family import spent, used
from loadtest.machine.processes import by_role, machine, pss_mib
from loadtest.machine.quiet import meanwhile

TURNS = 5  # answers a connection must get at least
LONGER = 4
TRIES = 5


@dataclass(frozen=True)
class Case:
    clip: str
    body: str  # form or raw
    connections: int

    def __str__(self) -> str:
        return f"{self.clip} as {self.body}, {self.connections} connections"


@dataclass(frozen=True)
class Sample:
    round: int
    server: str
    case: Case
    load: Load
    cpu_ms: dict[str, float]  # of one request, by role
    memory_mib: dict[str, float]  # PSS, by role
    elsewhere: float  # cores that neither the server nor the client used, but somebody did
    replaced: int  # processes that served when it came up and are gone

    @property
    def client_cpu_ms(self) -> float:
        return self.load.client_cpu_s * 1e3 / max(1, self.load.answered)


def measured(up: Running, name: str, round_: int, case: Case, clip: bytes, seconds: int) -> Sample:
    turn = partial(_turn, up, name, round_, case, clip)
    with awake(up):
        sample = turn(seconds)
        if sample.load.answered < TURNS * case.connections:
            seconds *= LONGER
            sample = turn(seconds)
        for _ in range(TRIES - 1):
            if not meanwhile(sample.elsewhere):
                break
            sample = turn(seconds)
    return sample


def _turn(up: Running, name: str, round_: int, case: Case, clip: bytes, seconds: int) -> Sample:
    path = up.server.path if case.body == "form" else up.server.raw_path
    before, then, own_s = used(up.pid), machine(), sum(os.times()[:4])
    load = drive(up.url, path, clip, case.body, case.connections, seconds)
    after, now = used(up.pid), machine()
    cpu_s = spent(before, after)
    each_ms = {pid: one * 1e3 / max(1, load.answered) for pid, one in cpu_s.items()}
    roles, idle = up.server.roles, dict.fromkeys(up.server.roles, 0.0)
    # The client's start is ours, too, though no part of what a request costs it.
    ours_s = sum(cpu_s.values()) + sum(os.times()[:4]) - own_s
    others = (now.busy_s - then.busy_s - ours_s) / (now.at - then.at)
    return Sample(
        round_,
        name,
        case,
        load,
        cpu_ms=idle | by_role(each_ms, roles),
        memory_mib=idle | by_role(pss_mib(cpu_s), roles),
        # Unknown, of a service not our own. Ticks are coarse: a little below nothing is nothing.
        elsewhere=max(0.0, others) if up.pid else 0.0,
        replaced=len(up.members - after.keys()),
    )


def looped(round_: int, case: Case, clip: bytes, bundle: Path, seconds: int) -> Sample:
    """The kernel without a server, one process a core; its latency is a clip's time in one."""
    processes = os.cpu_count() or 1
    with tempfile.NamedTemporaryFile() as file:
        file.write(clip)
        file.flush()
        command = [sys.executable, "-m", "loadtest.bench.peers.loop", file.name]
        done = subprocess.run(
            [*command, "--processes", str(processes), "--seconds", str(seconds)],
            env={**os.environ, **ONE_THREAD, "PYTHONPATH": str(CODE), BUNDLE: str(bundle)},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no words"])[-1]
        raise RuntimeError(f"the bare loop ended with {done.returncode}: {last}")
    found = json.loads(done.stdout)
    each_ms = processes * found["seconds"] * 1e3 / found["clips"]
    load = Load(found["clips"], found["seconds"], each_ms, each_ms, each_ms, {}, 0.0)
    cpu_ms = {"kernel": found["cpu_ms"] / found["clips"]}
    return Sample(round_, "loop", case, load, cpu_ms, {}, 0.0, 0)
