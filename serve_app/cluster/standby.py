"""Spare processes: a new replica starts in one that has already imported what it needs.

Python, Ray, Serve and our own imports are most of a replica's start. Ray gives an actor a worker
that was started ahead, if one of the same job stands idle and has never run a task. The curator
calls for such workers (`keep_spares`), and each imports ahead when it starts (`warm_if_called_for`,
see standby_imports.py). Both only save time: where they fail, a replica starts as it would without.
"""

import asyncio
import contextlib
import importlib
import logging
import time
from pathlib import Path

from data.home import home_from_env
from serve_app.cluster.ray_internals import workers

log = logging.getLogger("ray.serve")

LOOK_EVERY_S = 2.0
AFTER_TROUBLE_S = 60.0
CALL_HOLDS_S = 30.0  # beside five replicas that start, too, Python and Ray take over ten

# What a replica imports from its first line to its first answer.
NEEDED = (
    workers.REPLICA,
    "serve_app.replica_process",
    "serve_app.http.api",
    "uvicorn.lifespan.off",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
)


async def keep_spares(wanted: int) -> None:
    """Keeps `wanted` spares on this node, for the job that calls, until it has ended. Never raises.

    One at a time, and only when the workers were the same at two looks: while replicas start or
    stop, the cores are theirs.
    """
    before: dict[int, str] = {}
    while wanted > 0:
        pause = LOOK_EVERY_S
        try:
            now = await asyncio.to_thread(workers.own_workers)
            spares = sum(title == workers.IDLE for title in now.values())
            if now == before and spares < wanted:
                if await asyncio.to_thread(workers.own_job_has_ended):
                    log.warning("no spare processes until the next start: the dashboard was killed")
                    return
                await asyncio.to_thread(_prestart)
            before = now
        except Exception:  # a service without spares is slower to grow, not broken
            log.warning("no spare process could be started", exc_info=True)
            pause = AFTER_TROUBLE_S
        await asyncio.sleep(pause)


def _prestart() -> None:
    """Calls for one more spare at this node's raylet."""
    _call().touch()
    workers.prestart()


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
    return home_from_env().root / f"spare-wanted-{workers.raylet_pid()}"
