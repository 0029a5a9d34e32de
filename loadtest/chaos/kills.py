"""Processes of the service killed, or stopped for some seconds, also those of a retrain; versions
swapped; its clock moved; a second service beside it. A part is back when a process of its own does
its work again and predictions are answered.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from importlib.util import find_spec
from pathlib import Path

import httpx
import yaml

from data.datasets.sources import dataset_root
from data.domains.domain import config_root
from data.errors import NotReady
from loadtest.chaos.clients import clients
from loadtest.chaos.disturbance import Effect, Skipped, Subject, audited
from loadtest.machine import send
from loadtest.own_service import Service, bound, own_service, reached, shipped

PAUSE_S = 5.0
SWAPS = 10
SWAP_PAUSE_S = 1.0
SHIFTS = ("+3h", "-3h")
SHIFT_PATIENCE_S = 30.0
DOMAINS = ("faults", "keywords")
APART = 20  # ports
MIX_S = 10.0
FULL_EPOCHS = 3  # enough for a worker to be killed in
RETRAIN_PATIENCE_S = 240.0  # for the process that is to be killed

Serving = AbstractContextManager[Service]


def victims(service: Service, part: str) -> set[int]:
    """Raises NotReady where there is none."""
    if not (found := service.pids(part)):
        raise NotReady(f"no process of this service is a {part}")
    return found


def kill(part: str, subject: Subject) -> Effect:
    victim, *others = victims(subject.service, part)
    send({victim}, signal.SIGKILL)
    return Effect(lambda: _replaced(subject.service, part, {victim}, 1 + len(others)))


def pause(part: str, subject: Subject) -> Effect:
    """All of it, by SIGSTOP, for PAUSE_S; the clock runs from when they are woken."""
    before = victims(subject.service, part)
    try:
        send(before, signal.SIGSTOP)
        time.sleep(PAUSE_S)
    finally:
        send(before, signal.SIGCONT)
    # It may have been taken for dead and replaced, or gone on: both are a return.
    return Effect(lambda: _replaced(subject.service, part, set(), len(before)))


def _replaced(service: Service, part: str, killed: set[int], wanted: int) -> bool:
    """As many as there were, none of them a victim, and at work."""
    found = service.pids(part)
    enough = len(found) >= wanted and not killed & found and whole(service)
    return enough and (part != "dashboard" or service.ray.shows("/"))


def whole(service: Service) -> bool:
    """Predictions, curator, page, and every replica in the status. Raises NotReady where the
    launcher has ended."""
    if service.ended:
        code = service.process.returncode
        raise NotReady(f"the launcher ended with code {code}: ... {service.said()[-300:]}")
    status = service.get("/status") or {}
    replicas = {row["pid"] for row in service.status().get("replicas", [])}
    return (
        service.predicts()
        and status.get("curator") == "ok"
        and status.get("curator_pid") in service.pids("curator")
        and replicas == service.pids("replica")
        and service.shows("/ui/")
    )


def kill_and_start(everybody: bool, subject: Subject) -> Effect:
    """Or the launcher alone; nobody else starts that here, so its command is given once more."""
    service = subject.service
    send(service.members() if everybody else [service.process.pid], signal.SIGKILL)
    service.process.wait()
    service.start()
    return Effect(lambda: whole(service) and service.up)


def moved_clock(subject: Subject) -> Effect:
    """By libfaketime, under which it is started for this; the machine's own clock is left alone."""
    service, broken = subject.service, list[str]()
    (clock := service.folder / "clock").write_text("+0")
    service.restart(**_preloaded(clock))
    for shift in SHIFTS:
        clock.write_text(shift)
        if not reached(lambda: whole(service), SHIFT_PATIENCE_S):
            broken.append(f"with the clock at {shift} it was not whole in {SHIFT_PATIENCE_S:g} s")
    service.end()
    service.start()
    return Effect(lambda: whole(service) and service.up, broken=broken)


def _preloaded(clock: Path) -> dict[str, str]:
    """The environment in which a process has the clock of that file; the monotonic one goes on.
    Raises Skipped, also where the library then breaks Python's sleep, as some versions do."""
    if (package := find_spec("libfaketime")) is None or package.origin is None:
        raise Skipped("needs libfaketime, which is not installed (pip install libfaketime)")
    library = next(Path(package.origin).parent.rglob("libfaketime.so.1"))
    settings = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    probe = [sys.executable, "-c", "import time; time.sleep(0.01)"]
    if subprocess.run(probe, env=os.environ | settings, capture_output=True).returncode:
        raise Skipped("the libfaketime here breaks Python's time.sleep")
    return settings


def serving(home: Path, port: int, domain: str, replicas: int, **settings: str) -> Serving:
    """As `own_service`. Nothing is retrained that was not asked for, and that is short."""
    calm = yaml.safe_load((config_root() / f"{domain}.yaml").read_text(encoding="utf-8"))
    calm["triggers"] = {"new_clips": None, "every_h": None}
    calm["training"]["epochs"] = FULL_EPOCHS
    (configs := home.parent / "configs").mkdir()
    (configs / f"{domain}.yaml").write_text(yaml.safe_dump(calm), encoding="utf-8")
    config, own = bound(shipped(), replicas, replicas), {"TELLTALE_CONFIGS": str(configs)}
    return own_service(port, config, domain, home.parent, home, own | settings)


def beside(subject: Subject) -> Effect:
    """Each in turn loses all its replicas while both have clients; Serve's fallback answers then,
    and must know whose it is."""
    service = subject.service
    domain = next(name for name in DOMAINS if name != service.domain)
    (home := service.folder / "neighbour" / "home").mkdir(parents=True)
    with serving(home, service.port + APART, domain, 1) as other:
        with clients(other, other.get("/domains", "domains", 0, "labels")) as ledger:
            for one in (service, other):
                send(victims(one, "replica"), signal.SIGKILL)
                time.sleep(MIX_S)
        other.end()
        audit = audited(home, ledger, {})
    found = {
        "foreign answers": sum(sent.kind == "foreign" for sent in ledger.requests),
        "foreign clips in the store": len(audit.foreign),
        "acknowledged clips lost": len(audit.lost),
    }
    broken = [f"at the second service, {n} {what}" for what, n in found.items() if n]
    notes = [f"the second service kept {audit.kept} clips of {len(ledger.requests)} requests"]
    return Effect(lambda: whole(service), notes, broken)


def swap(subject: Subject) -> Effect:
    service, took = subject.service, list[float]()
    for _ in range(SWAPS):
        began = time.monotonic()
        answer = service.request("POST", "/models/rollback", json={})
        if answer.status_code == 409:
            raise Skipped("there is no second version: no retrain was promoted")
        answer.raise_for_status()
        took.append(time.monotonic() - began)
        time.sleep(SWAP_PAUSE_S)
    notes = (f"a swap took {max(took):.2f} s at most",)
    return Effect(lambda: bool(service.status().get("agree")), notes)


def retrained(service: Service, run: str = "") -> Callable[[], bool]:
    """Whether a retrain, ordered until it is taken, has ended; raises NotReady if it did badly."""

    def ended() -> bool:
        nonlocal run
        if not run:
            run = ordered(service, "teach")
            return False
        found = service.get(f"/retrain/{run}") or {}
        if found.get("finished") and found["state"] != "succeeded":
            raise NotReady(f"the retrain ended as {found['state']}: {found.get('result')}")
        return bool(found.get("finished"))

    return ended


def ordered(service: Service, mode: str) -> str:
    """The id of the run; empty where it was not taken."""
    with suppress(httpx.HTTPError, ValueError):
        answer = service.request("POST", "/retrain", json={"mode": mode, "reason": "chaos"})
        return str(answer.json()["id"]) if answer.status_code == 202 else ""
    return ""


def kill_in_retrain(mode: str, part: str, subject: Subject) -> Effect:
    """A full retrain must go on to its end; after a teach another one must run to its own."""
    service, root = subject.service, dataset_root()
    if mode == "full" and not (root and (root / service.domain).is_dir()):
        raise Skipped(f"a full retrain needs the data set {service.domain} here")
    if not (run := ordered(service, mode)):
        raise NotReady("a retrain was not taken")
    reached(lambda: bool(service.pids(part)), RETRAIN_PATIENCE_S)
    send(victims(service, part), signal.SIGKILL)
    return Effect(retrained(service, run if mode == "full" else ""))
