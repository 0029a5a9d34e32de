"""Who is measured, and with which settings; a peer that is not installed is left out with a word.

LitServe and BentoML live in an environment of their own (`make .venv-bench`), since they want
other versions than are pinned. Their settings are the best of those tried; see their files.
"""

import dataclasses
import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from data.installed import CODE
from loadtest.bench.driver import form
from loadtest.bench.peers.kernel import BUNDLE
from loadtest.bench.servers import Running, Server, asleep, label_from, running
from loadtest.machine.processes import Roles
from loadtest.own_service import fixed_replicas

PEERS = CODE / ".venv-bench" / "bin" / "python"
HOW = "make .venv-bench, or pip install '.[bench]' in an environment of its own"
LOOP = "loop"  # no server: measured by a program of its own
NAMES = (
    LOOP,
    "noop",
    "raw",
    "fastapi1",
    "fastapi2",
    "seed",
    "litserve",
    "bentoml",
    "telltale",
)
MANY = ("raw", "fastapi2", "telltale")  # those that every clip is sent to
TITLES = {LOOP: "bare loop, no server"}
# What a process of Telltale is, by what stands in its command line; the first that fits.
TELLTALE_ROLES: Roles = {
    "replica": ("DomainService",),
    "haproxy": ("haproxy -", "bin/haproxy"),
    "controller": ("ServeController",),
    "proxy": ("HAProxyManager", "ProxyActor"),
    "curator": ("ServeReplica:curator",),
    "ui": ("ServeReplica:ui",),
    "launcher": ("-m serve_app",),
    "ray": ("",),
}


@contextmanager
def standing(
    names: tuple[str, ...], port: int, bundle: Path, url: str, clip: bytes
) -> Iterator[dict[str, Running]]:
    """The servers among `names`, started and put to sleep; all of them are ended behind the block.

    Raises RuntimeError if one does not come up. With `url`, Telltale is the service there.
    """
    os.environ[BUNDLE] = str(bundle.resolve())
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as folder, ExitStack() as stack:
        servers, missing = lineup(names, port, Path(folder))
        print(*missing, sep="\n", end="\n" if missing else "")
        if not servers and LOOP not in names:
            raise RuntimeError("nobody is left to be measured")
        up = {}
        for name, server in servers.items():
            if name == "telltale" and url:
                there = dataclasses.replace(server, title=f"Telltale at {url}")
                base = url.rstrip("/")
                if not (label := label_from(base + server.path, form(clip))):
                    raise RuntimeError(f"nobody answers a clip at {base}{server.path}")
                up[name] = Running(there, 0, base, 0.0, label)
                continue
            log = Path(folder) / f"{name}.log"
            up[name] = stack.enter_context(running(server, form(clip), log))
            stack.enter_context(asleep(up[name]))
            print(f"{server.title}: ready after {up[name].start_up_s:.1f} s", flush=True)
        refuse_disagreement(up)
        yield up


def refuse_disagreement(up: dict[str, Running]) -> None:
    labels = {name: one.label for name, one in up.items() if name != "noop"}
    if len(set(labels.values())) > 1:
        raise RuntimeError(f"the servers do not serve the same model; their answers: {labels}")


def lineup(names: tuple[str, ...], port: int, folder: Path) -> tuple[dict[str, Server], list[str]]:
    """The servers among `names`, on ports from `port`; and a line for each that is left out."""
    found, missing = {}, []
    for number, name in enumerate(NAMES):
        if name not in names or name == LOOP:
            continue
        if name in {"litserve", "bentoml"} and not peers_python(name):
            missing.append(f"{name} is left out, it is not installed: {HOW}")
            continue
        found[name] = MAKERS[name](port + number, folder)
    return found, missing


def peers_python(module: str) -> str:
    """The interpreter that has a peer; empty if none has."""
    if PEERS.exists():
        return str(PEERS)
    return sys.executable if importlib.util.find_spec(module) else ""


def _uvicorn(title: str, app: str, workers: int, port: int, raw_path: str = "") -> Server:
    options = ["--workers", str(workers), "--port", str(port), "--log-level", "warning"]
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        f"loadtest.bench.peers.{app}",
        "--factory",
        *options,
    ]
    return Server(title, (*command, "--no-access-log"), port, raw_path=raw_path)


def _litserve(port: int) -> Server:
    command = (
        peers_python("litserve"),
        "-m",
        "loadtest.bench.peers.litserve_app",
        "--port",
        str(port),
    )
    return Server("LitServe, 2 workers, batching", command, port)


def _bentoml(port: int) -> Server:
    python = peers_python("bentoml")
    service = "loadtest.bench.peers.bento:Predict"
    options = ("--host", "127.0.0.1", "--port", str(port))
    return Server(
        "BentoML, 2 workers, adaptive batching",
        (python, "-m", "bentoml", "serve", service, *options),
        port,
        environment={"BENTOML_DO_NOT_TRACK": "True"},
    )


def _telltale(port: int, folder: Path) -> Server:
    """Two replicas from the first second, `faults` alone, everything else as it is shipped."""
    path = folder / "serve.yaml"
    path.write_text(fixed_replicas(2), encoding="utf-8")
    return Server(
        "Telltale, 2 replicas",
        (sys.executable, "-m", "serve_app", "serve", "--config", str(path)),
        port,
        raw_path="/predict",
        roles=TELLTALE_ROLES,
        waits_for={"replica": 2, "ui": 1},
        environment={
            "TELLTALE_HOME": str(folder / "home"),
            "TELLTALE_PORT": str(port),
            "TELLTALE_DOMAINS": "faults",
        },
    )


MAKERS = {
    "noop": lambda port, _: _uvicorn("no-op ASGI, 2 workers", "asgi:nothing", 2, port, "/"),
    "raw": lambda port, _: _uvicorn("raw ASGI + uvicorn, 2 workers", "asgi:app", 2, port, "/"),
    "fastapi1": lambda port, _: _uvicorn(
        "FastAPI + uvicorn, 1 worker", "fastapi_app:app", 1, port, "/raw"
    ),
    "fastapi2": lambda port, _: _uvicorn(
        "FastAPI + uvicorn, 2 workers", "fastapi_app:app", 2, port, "/raw"
    ),
    "seed": lambda port, _: _uvicorn("seed style: sync, librosa, torch", "seed:app", 1, port),
    "litserve": lambda port, _: _litserve(port),
    "bentoml": lambda port, _: _bentoml(port),
    "telltale": _telltale,
}
