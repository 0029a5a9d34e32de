"""Who is measured, by which command; and each of them as it runs: awake only in its turn.

Who is not being measured is stopped (SIGSTOP) and uses nothing, however busy it is when idle.
Parents sleep before their children and wake after them, so that none sees a child that does not
answer.

LitServe and BentoML live in an environment of their own (`make .venv-bench`), since they want
other versions than are pinned. Their settings are the best of those tried; see their files.
"""

import importlib.util
import os
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import yaml

from data.install_paths import CODE
from loadtest.bench.peers.inference import BUNDLE
from loadtest.command import stop_on_signal
from loadtest.machine import REPORTED, Roles, role, send
from loadtest.own_service import Started, Target, bound, shipped
from models.bundle import PRETRAINED

PEERS = CODE / ".venv-bench" / "bin" / "python"
HOW = "make .venv-bench, or pip install '.[bench]' in an environment of its own"
LOOP = "loop"  # no server: measured by a program of its own
ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "PYTHONPATH": str(CODE),
    BUNDLE: str((PRETRAINED / "faults").resolve()),
    "TELLTALE_DOMAINS": "faults",
    "BENTOML_DO_NOT_TRACK": "True",
}


@dataclass(frozen=True)
class Server:
    title: str
    words: str  # behind the interpreter
    raw_path: str = ""  # for a clip that is the whole body; empty where there is no such route
    peer: str = ""  # the package that it needs, of an environment of its own
    roles: Roles = field(default_factory=dict)
    waits_for: Mapping[str, int] = field(default_factory=dict)  # processes of a role

    @property
    def python(self) -> str:
        """The interpreter that has it; empty if none has."""
        if self.peer and PEERS.exists():
            return str(PEERS)
        return "" if self.peer and not importlib.util.find_spec(self.peer) else sys.executable


def _uvicorn(title: str, app: str, raw_path: str = "", workers: int = 2) -> Server:
    words = f"-m uvicorn loadtest.bench.peers.{app} --factory --workers {workers}"
    title = f"{title}, {workers} worker{'s' * (workers > 1)}"
    return Server(title, f"{words} --port {{port}} --log-level warning --no-access-log", raw_path)


LITSERVE = "-m loadtest.bench.peers.litserve_app {port}"
BENTOML = "-m bentoml serve loadtest.bench.peers.bento:Predict --host 127.0.0.1 --port {port}"
TELLTALE, WHOLE = "-m serve_app serve --config {folder}/serve.yaml", {"replica": 2, "page": 1}
SERVERS = {
    "noop": _uvicorn("no-op ASGI", "asgi:nothing", "/"),
    "raw": _uvicorn("raw ASGI + uvicorn", "asgi:app", "/"),
    "fastapi1": _uvicorn("FastAPI + uvicorn", "fastapi_app:app", "/raw", workers=1),
    "fastapi2": _uvicorn("FastAPI + uvicorn", "fastapi_app:app", "/raw"),
    "seed": _uvicorn("seed style: sync, librosa, torch", "fastapi_app:seed", workers=1),
    "litserve": Server("LitServe, 2 workers, batching", LITSERVE, peer="litserve"),
    "bentoml": Server("BentoML, 2 workers, adaptive batching", BENTOML, peer="bentoml"),
    # Two replicas from the first second, `faults` alone, everything else as it is shipped.
    "telltale": Server(
        "Telltale, 2 replicas", TELLTALE, "/predict", roles=REPORTED, waits_for=WHOLE
    ),
}
NAMES = (LOOP, *SERVERS)
TITLES = {LOOP: "bare loop, no server"} | {name: one.title for name, one in SERVERS.items()}


class Running(Started, Target):
    start_up_s = 0.0
    label = ""  # what it takes the clip for; all must agree
    serving: frozenset[psutil.Process] = frozenset()  # whose end would be a failure

    def __init__(self, name: str, port: int, folder: Path) -> None:
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            raise RuntimeError(f"port {port} is taken; choose others with --port")
        Started.__init__(self, folder / name, folder / f"{name}.log")
        Target.__init__(self, f"http://127.0.0.1:{port}")
        self.server = SERVERS[name]
        words = self.server.words.format(port=port, folder=folder)
        self.command = [self.server.python, *words.split()]
        self.environment = {**os.environ, "TELLTALE_PORT": str(port)}

    def start(self, clip: bytes) -> None:
        began, wanted, title = time.monotonic(), self.server.waits_for, self.server.title
        self.launch(self.command, self.environment)
        self.wait_until(lambda: bool(self.predicted(clip)), title)
        self.start_up_s = time.monotonic() - began
        self.wait_until(lambda: Counter(self.roles().values()) >= Counter(wanted), title)
        self.label, roles = str(self.predicted(clip).get("label")), self.roles()
        self.serving = frozenset(one for one in roles if not wanted or roles[one] in wanted)
        self.calm()

    def roles(self) -> dict[psutil.Process, str]:
        return {one: role(pid, self.server.roles) for pid, one in self.members().items()}

    def parents_first(self) -> list[int]:
        members = self.members()
        return sorted(members, key=lambda pid: (members[pid].create_time(), pid))

    def freeze(self) -> None:
        """Returns when everybody sleeps; somebody may have been born meanwhile."""
        asleep: set[int] = set()
        while fresh := [pid for pid in self.parents_first() if pid not in asleep]:
            send(fresh, signal.SIGSTOP)
            asleep.update(fresh)

    def thaw(self) -> None:
        send(reversed(self.parents_first()), signal.SIGCONT)

    def end(self) -> None:
        self.thaw()  # who sleeps cannot be asked to stop
        super().end()

    @contextmanager
    def awake(self) -> Iterator[None]:
        self.thaw()
        self.calm()
        try:
            yield
        finally:
            self.calm()
            self.freeze()


@contextmanager
def standing(names: Collection[str], port: int, clip: bytes) -> Iterator[dict[str, Running]]:
    """Asleep, on ports from `port`. Raises RuntimeError or NotReady if one does not come up."""
    stop_on_signal()  # servers would stay behind, asleep
    os.environ |= ENVIRONMENT  # the loop's, too
    up: dict[str, Running] = {}
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as folder, ExitStack() as stack:
        config = yaml.safe_dump(bound(shipped(), 2, 2))
        (Path(folder) / "serve.yaml").write_text(config, encoding="utf-8")
        for number, name in enumerate(SERVERS):
            if name in names and not SERVERS[name].python:
                print(f"{name} is left out, it is not installed: {HOW}")
            elif name in names:
                one = up[name] = Running(name, port + number, Path(folder))
                stack.callback(one.end)
                one.start(clip)
                one.freeze()
                print(f"{one.server.title}: ready after {one.start_up_s:.1f} s", flush=True)
        if not up and LOOP not in names:
            raise RuntimeError("nobody is left to be measured")
        refuse_disagreement({name: one.label for name, one in up.items() if name != "noop"})
        yield up


def refuse_disagreement(labels: Mapping[str, str]) -> None:
    if len(set(labels.values())) > 1:
        raise RuntimeError(f"the servers do not serve the same model; their answers: {labels}")
