"""Who is measured, and with which settings; a peer that is not installed is left out with a word.

LitServe and BentoML live in an environment of their own (`make .venv-bench`), since they want
other versions than are pinned. Their settings are the best of those tried; see their files.
"""

import importlib.util
import os
import sys
import tempfile
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import yaml

from data.install_paths import CODE
from loadtest.bench.peers.kernel import BUNDLE
from loadtest.bench.servers import Running, Server, freeze, running
from loadtest.machine.processes import REPORTED
from loadtest.own_service import fixed_replicas
from models.bundle import PRETRAINED

PEERS = CODE / ".venv-bench" / "bin" / "python"
HOW = "make .venv-bench, or pip install '.[bench]' in an environment of its own"
LOOP = "loop"  # no server: measured by a program of its own
MANY = ("raw", "fastapi2", "telltale")  # those that every clip is sent to
TITLES = {LOOP: "bare loop, no server"}
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
# name -> title, application, workers, where a clip may be the whole body
UVICORN = {
    "noop": ("no-op ASGI, 2 workers", "asgi:nothing", 2, "/"),
    "raw": ("raw ASGI + uvicorn, 2 workers", "asgi:app", 2, "/"),
    "fastapi1": ("FastAPI + uvicorn, 1 worker", "fastapi_app:app", 1, "/raw"),
    "fastapi2": ("FastAPI + uvicorn, 2 workers", "fastapi_app:app", 2, "/raw"),
    "seed": ("seed style: sync, librosa, torch", "seed:app", 1, ""),
}
NAMES = (LOOP, *UVICORN, "litserve", "bentoml", "telltale")


@contextmanager
def standing(names: Collection[str], port: int, clip: bytes) -> Iterator[dict[str, Running]]:
    """The servers among `names`, started and put to sleep; all of them are ended behind the block.

    Raises RuntimeError or NotReady if one does not come up.
    """
    os.environ |= {BUNDLE: str((PRETRAINED / "faults").resolve()), **ONE_THREAD}
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as folder, ExitStack() as stack:
        servers, missing = lineup(names, port, Path(folder))
        print(*missing, sep="\n", end="\n" if missing else "")
        if not servers and LOOP not in names:
            raise RuntimeError("nobody is left to be measured")
        up = {}
        for name, server in servers.items():
            up[name] = stack.enter_context(running(server, clip, Path(folder) / f"{name}.log"))
            freeze(up[name].pid)
            print(f"{server.title}: ready after {up[name].start_up_s:.1f} s", flush=True)
        refuse_disagreement(up)
        yield up


def refuse_disagreement(up: dict[str, Running]) -> None:
    labels = {name: one.label for name, one in up.items() if name != "noop"}
    if len(set(labels.values())) > 1:
        raise RuntimeError(f"the servers do not serve the same model; their answers: {labels}")


def lineup(names: Collection[str], port: int, folder: Path) -> tuple[dict[str, Server], list[str]]:
    """The servers among `names`, on ports from `port`; and a line for each that is left out."""
    found, missing = {}, []
    for number, name in enumerate(NAMES):
        if name not in names or name == LOOP:
            continue
        if name in {"litserve", "bentoml"} and not peers_python(name):
            missing.append(f"{name} is left out, it is not installed: {HOW}")
            continue
        found[name] = _server(name, port + number, folder)
    return found, missing


def peers_python(module: str) -> str:
    """The interpreter that has a peer; empty if none has."""
    if PEERS.exists():
        return str(PEERS)
    return sys.executable if importlib.util.find_spec(module) else ""


def _server(name: str, port: int, folder: Path) -> Server:
    if name == "telltale":
        return _telltale(port, folder)
    at = ("--port", str(port))
    if name == "litserve":
        app = (peers_python(name), "-m", "loadtest.bench.peers.litserve_app")
        return Server("LitServe, 2 workers, batching", (*app, *at), port)
    if name == "bentoml":
        serve = ("bentoml", "serve", "loadtest.bench.peers.bento:Predict", "--host", "127.0.0.1")
        untracked = {"BENTOML_DO_NOT_TRACK": "True"}
        title = "BentoML, 2 workers, adaptive batching"
        command = (peers_python(name), "-m", *serve, *at)
        return Server(title, command, port, environment=untracked)
    title, path, workers, raw_path = UVICORN[name]
    options = ("--factory", "--workers", str(workers), "--log-level", "warning", "--no-access-log")
    uvicorn = (sys.executable, "-m", "uvicorn", f"loadtest.bench.peers.{path}", *at, *options)
    return Server(title, uvicorn, port, raw_path=raw_path)


def _telltale(port: int, folder: Path) -> Server:
    """Two replicas from the first second, `faults` alone, everything else as it is shipped."""
    path = folder / "serve.yaml"
    path.write_text(yaml.safe_dump(fixed_replicas(2)), encoding="utf-8")
    return Server(
        "Telltale, 2 replicas",
        (sys.executable, "-m", "serve_app", "serve", "--config", str(path)),
        port,
        raw_path="/predict",
        roles=REPORTED,
        waits_for={"replica": 2, "page": 1},
        environment={
            "TELLTALE_HOME": str(folder / "home"),
            "TELLTALE_PORT": str(port),
            "TELLTALE_DOMAINS": "faults",
        },
    )
