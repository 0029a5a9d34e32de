"""Processes of the service killed, or stopped for some seconds; and how each part shows its return.

A part is back when a process of its own does its work again and predictions are answered.
"""

import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

import httpx

from loadtest.chaos.effect import Deed, Effect, Subject
from loadtest.chaos.service import Service
from loadtest.machine.family import of_home
from loadtest.machine.processes import environment_of

PAUSE_S = 5.0


def kill(part: str) -> Deed:
    """One of it, by SIGKILL."""

    def do(subject: Subject) -> Effect:
        service = subject.service
        before = service.victims(part)
        victim = min(before)
        send({victim}, signal.SIGKILL)
        return Effect(lambda: _replaced(service, part, {victim}, len(before)))

    return do


def kill_launcher(subject: Subject) -> Effect:
    """Nobody else starts it again here, so the same command is given once more, at once."""
    return _killed_and_started(subject.service, {subject.service.process.pid})


def kill_everything(subject: Subject) -> Effect:
    return _killed_and_started(subject.service, {*of_home(subject.service.home)})


def _killed_and_started(service: Service, victims: set[int]) -> Effect:
    send(victims, signal.SIGKILL)
    service.process.wait()
    service.start()
    return Effect(lambda: whole(service) and service.up)


def pause(part: str) -> Deed:
    """All of it, by SIGSTOP, for PAUSE_S; the clock runs from when they are woken."""

    def do(subject: Subject) -> Effect:
        service = subject.service
        before = service.victims(part)
        try:
            send(before, signal.SIGSTOP)
            time.sleep(PAUSE_S)
        finally:
            send(before, signal.SIGCONT)
        # It may have been taken for dead and replaced, or gone on: both are a return.
        return Effect(lambda: _replaced(service, part, set(), len(before)))

    return do


def send(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # its parent's death was its own
            os.kill(pid, number)


def _replaced(service: Service, part: str, victims: set[int], wanted: int) -> bool:
    """As many as there were, none of them a victim, and at work."""
    service.refuse_ended()
    found = service.pids(part)
    enough = len(found) >= wanted and not victims & found
    return enough and service.predicts() and AT_WORK.get(part, whole)(service, found)


def whole(service: Service, _: set[int] | None = None) -> bool:
    """Predictions, curator and page."""
    service.refuse_ended()
    curator = service.pids("curator")
    return service.predicts() and _curator(service, curator) and service.shows("/ui/")


def _replicas(service: Service, found: set[int]) -> bool:
    rows = service.status().get("replicas", [])
    return len(rows) >= service.replicas and {row["pid"] for row in rows} <= found


def _curator(service: Service, found: set[int]) -> bool:
    status = service.asked("/status") or {}
    return status.get("curator") == "ok" and status.get("curator_pid") in found


def _controller(service: Service, found: set[int]) -> bool:
    return bool(service.status().get("states"))


def _page(service: Service, found: set[int]) -> bool:
    return service.shows("/ui/")


def _dashboard(service: Service, found: set[int]) -> bool:
    address = environment_of(min(found), "RAY_API_SERVER_ADDRESS")
    with suppress(httpx.HTTPError):
        return httpx.get(str(address), timeout=5, trust_env=False).status_code == 200
    return False


def _predicting(service: Service, found: set[int]) -> bool:
    return True  # which was asked already


AT_WORK: Mapping[str, Callable[[Service, set[int]], bool]] = {
    "replica": _replicas,
    "curator": _curator,
    "controller": _controller,
    "page": _page,
    "dashboard": _dashboard,
    "haproxy": _predicting,
    "haproxy-manager": _predicting,
    "proxy": _predicting,
}
