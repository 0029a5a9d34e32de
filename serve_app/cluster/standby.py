"""Spare processes: a new replica starts in one that has already imported what it needs.

Python, Ray, Serve and our own imports are most of a replica's start. Ray gives an actor a worker
that was started ahead, if one of the same job stands idle and has never run a task. The curator
calls for such workers (`keep`), and each imports ahead when it starts (`warm_if_called_for`, see
standby_imports.py). Both only save time: where they fail, a replica starts as it would without.
"""

import asyncio
import contextlib
import importlib
import logging
import os
import time
from pathlib import Path

from data.home import home_from_env

log = logging.getLogger("ray.serve")

LOOK_EVERY_S = 2.0
AFTER_TROUBLE_S = 60.0
IDLE = "ray::IDLE"  # what Ray calls a worker that waits; one that starts has its command line
STARTING = "default_worker.py"
KEEP_ALIVE_S = 7 * 24 * 3600  # Ray ends idle workers sooner where few CPUs are left
CALL_HOLDS_S = 10.0

# What a replica imports from its first line to its first answer.
NEEDED = (
    "ray.serve._private.replica",
    "serve_app.service",
    "serve_app.http.api",
    "uvicorn.lifespan.off",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
)


async def keep(wanted: int) -> None:
    """Keeps `wanted` spares on this node, for the job that calls. Never raises.

    One at a time, and only when the workers were the same at two looks: while replicas start or
    stop, the cores are theirs.
    """
    before: dict[int, str] = {}
    while wanted > 0:
        pause = LOOK_EVERY_S
        try:
            now = await asyncio.to_thread(_ours)
            spares = sum(title == IDLE for title in now.values())
            if now == before and spares < wanted:
                await asyncio.to_thread(prestart)
            before = now
        except Exception:  # a service without spares is slower to grow, not broken
            log.warning("no spare process could be started", exc_info=True)
            pause = AFTER_TROUBLE_S
        await asyncio.sleep(pause)


def workers(raylet: str, job: str, proc: Path = Path("/proc")) -> dict[int, str]:
    """pid -> title of a job's workers below one raylet; Ray tells a worker both at its start."""
    ours = {f"RAY_RAYLET_PID={raylet}".encode(), f"RAY_JOB_ID={job}".encode()}
    found = {}
    for folder in proc.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile, or is another user's
            raw = (folder / "cmdline").read_bytes().replace(b"\0", b" ").strip()
            title = raw.decode("utf-8", errors="replace")
            if (title.startswith("ray::") or STARTING in title) and ours <= {
                *(folder / "environ").read_bytes().split(b"\0")
            }:
                found[int(folder.name)] = title
    return found


def _ours() -> dict[int, str]:
    import ray

    return workers(os.environ["RAY_RAYLET_PID"], ray.get_runtime_context().get_job_id())


def prestart() -> None:
    """Calls for one more spare at this node's raylet; it comes when it comes."""
    import ray
    from ray._private.grpc_utils import init_grpc_channel
    from ray.core.generated import node_manager_pb2, node_manager_pb2_grpc

    context = ray.get_runtime_context()
    node = next(node for node in ray.nodes() if node["NodeID"] == context.get_node_id())
    request = node_manager_pb2.PrestartWorkersRequest(
        job_id=bytes.fromhex(context.get_job_id()),
        num_workers=1,
        keep_alive_duration_secs=KEEP_ALIVE_S,
    )
    request.runtime_env_info.serialized_runtime_env = "{}"
    _call().touch()
    with init_grpc_channel(f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}") as channel:
        stub = node_manager_pb2_grpc.NodeManagerServiceStub(channel)
        stub.PrestartWorkers(request, timeout=5)


def warm_if_called_for() -> None:
    """In a worker that starts: imports what a replica needs if it is the spare called for.

    Before Ray lets the worker take work, never beside it: Serve's modules import each other in
    circles, and two threads that import them at once find halves. Never raises.
    """
    with contextlib.suppress(Exception):
        call = _call()
        fresh = time.time() - call.stat().st_mtime < CALL_HOLDS_S
        call.unlink()  # the first to take it away is the spare
        for name in NEEDED if fresh else ():
            importlib.import_module(name)


def _call() -> Path:
    return home_from_env().root / f"spare-wanted-{os.environ['RAY_RAYLET_PID']}"
