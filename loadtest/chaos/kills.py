"""Processes of the service killed, or stopped for some seconds; its clock moved; a second service
beside it. And how each part shows its return.

A part is back when a process of its own does its work again and predictions are answered.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import httpx

from loadtest.chaos.clients import clients
from loadtest.chaos.outcome import Deed, Effect, Skipped, Subject
from loadtest.chaos.report import audited
from loadtest.chaos.service import serving
from loadtest.machine.processes import environment_of, of_home, send
from loadtest.own_service import Service, reached

PAUSE_S = 5.0
SHIFTS = ("+3h", "-3h")
SHIFT_PATIENCE_S = 30.0
PROBE = "import time; time.sleep(0.01)"
DOMAINS = ("faults", "keywords")
APART = 20  # ports
MIX_S = 10.0


def kill(part: str) -> Deed:
    """One of it, by SIGKILL."""

    def do(subject: Subject) -> Effect:
        before = subject.service.victims(part)
        victim = min(before)
        send({victim}, signal.SIGKILL)
        return Effect(lambda: _replaced(subject.service, part, {victim}, len(before)))

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
        before = subject.service.victims(part)
        try:
            send(before, signal.SIGSTOP)
            time.sleep(PAUSE_S)
        finally:
            send(before, signal.SIGCONT)
        # It may have been taken for dead and replaced, or gone on: both are a return.
        return Effect(lambda: _replaced(subject.service, part, set(), len(before)))

    return do


def _replaced(service: Service, part: str, victims: set[int], wanted: int) -> bool:
    """As many as there were, none of them a victim, and at work."""
    service.refuse_ended()
    found = service.pids(part)
    enough = len(found) >= wanted and not victims & found
    return enough and service.predicts() and AT_WORK[part](service, found, wanted)


def whole(service: Service, *_: object) -> bool:
    """Predictions, curator and page."""
    service.refuse_ended()
    curator = service.pids("curator")
    return service.predicts() and _curator(service, curator, 1) and service.shows("/ui/")


def _replicas(service: Service, found: set[int], wanted: int) -> bool:
    rows = service.status().get("replicas", [])
    return len(rows) >= wanted and {row["pid"] for row in rows} <= found


def _curator(service: Service, found: set[int], _: int) -> bool:
    status = service.get("/status") or {}
    return status.get("curator") == "ok" and status.get("curator_pid") in found


def _dashboard(service: Service, found: set[int], _: int) -> bool:
    address = environment_of(min(found), "RAY_API_SERVER_ADDRESS")
    with suppress(httpx.HTTPError):
        return httpx.get(str(address), timeout=5, trust_env=False).status_code == 200
    return False


AT_WORK: Mapping[str, Callable[[Service, set[int], int], bool]] = {
    "replica": _replicas,
    "curator": _curator,
    "controller": lambda service, *_: bool(service.status().get("states")),
    "page": lambda service, *_: service.shows("/ui/"),
    "dashboard": _dashboard,
    # On these the whole cluster hangs.
    **dict.fromkeys(("raylet", "gcs", "dashboard-agent", "runtime-env-agent"), whole),
    # Those pass predictions on, which was asked already.
    **dict.fromkeys(("haproxy", "haproxy-manager", "proxy"), lambda *_: True),
}


def moved_clock(subject: Subject) -> Effect:
    """By libfaketime, under which it is started for this; the machine's own clock is left alone.

    The monotonic clock must go on as it does when somebody sets the time: some versions of the
    library then break Python's sleep, and those are of no use here."""
    service, clock = subject.service, subject.service.folder / "clock"
    clock.write_text("+0")
    settings = _preloaded(clock)
    service.end()
    service.start(**settings)
    service.wait_until_up()
    broken = []
    for shift in SHIFTS:
        clock.write_text(shift)
        if not reached(lambda: whole(service), SHIFT_PATIENCE_S):
            broken.append(f"with the clock at {shift} it was not whole in {SHIFT_PATIENCE_S:g} s")
    service.end()
    service.start()
    return Effect(lambda: whole(service) and service.up, broken=broken)


def _preloaded(clock: Path) -> dict[str, str]:
    """The environment in which a process has the clock of that file. Raises Skipped."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        raise Skipped("needs libfaketime, which is not installed")
    settings = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    probe = [sys.executable, "-c", PROBE]
    if subprocess.run(probe, env=os.environ | settings, capture_output=True).returncode:
        raise Skipped("the libfaketime here breaks Python's time.sleep")
    return settings


def beside(subject: Subject) -> Effect:
    """A second service, which may never answer for the first nor keep its clips. Each in turn
    loses all its replicas while both have clients; Serve's fallback answers then, and must know
    whose it is."""
    service = subject.service
    domain = next(name for name in DOMAINS if name != service.domain)
    folder = service.folder / "neighbour"
    home = folder / "home"
    home.mkdir(parents=True)
    with serving(folder, home, service.port + APART, domain, 1) as other:
        with clients(other, other.labels()) as ledger:
            for one in (service, other):
                send(one.victims("replica"), signal.SIGKILL)
                time.sleep(MIX_S)
        other.end()
        audit = audited(home, ledger, {})
    found = {
        "foreign answers": sum(sent.kind == "foreign" for sent in ledger.requests),
        "foreign clips in the store": len(audit.foreign),
        "acknowledged clips lost": len(audit.lost),
    }
    broken = tuple(f"at the second service, {n} {what}" for what, n in found.items() if n)
    notes = (f"the second service kept {audit.kept} clips of {len(ledger.requests)} requests",)
    return Effect(lambda: whole(service), notes, broken)
