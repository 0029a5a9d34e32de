"""New versions on their way: retrains that lose a process, and swaps one after another."""

import signal
import time
from contextlib import suppress

import httpx

from data.datasets.sources import dataset_root
from data.errors import NotReady
from loadtest.chaos.outcome import Effect, Skipped, Subject
from loadtest.machine.processes import send
from loadtest.own_service import Service, reached

SWAPS = 10
SWAP_PAUSE_S = 1.0


def swap(subject: Subject) -> Effect:
    """Back to the previous version and forth again, SWAPS times."""
    service = subject.service
    took: list[float] = []
    for _ in range(SWAPS):
        began = time.monotonic()
        answer = service.request("POST", "/models/rollback", json={})
        if answer.status_code == 409:
            raise Skipped("there is no second version: no retrain was promoted")
        answer.raise_for_status()
        took.append(time.monotonic() - began)
        time.sleep(SWAP_PAUSE_S)
    return Effect(
        lambda: bool(service.status().get("agree")), (f"a swap took {max(took):.2f} s at most",)
    )


class Retrained:
    """A retrain ordered until it is taken, then followed to its end; the answer to `back`."""

    def __init__(self, service: Service, run: str = "") -> None:
        self._service, self._run = service, run

    def __call__(self) -> bool:
        """Raises NotReady where the run ends otherwise than well."""
        if not self._run:
            self._run = ordered(self._service, "teach")
            return False
        run = self._service.get(f"/retrain/{self._run}") or {}
        if run.get("finished") and run["state"] != "succeeded":
            raise NotReady(f"the retrain ended as {run['state']}: {run.get('result')}")
        return bool(run.get("finished"))


def ordered(service: Service, mode: str) -> str:
    """The id of the run; empty where it was not taken."""
    with suppress(httpx.HTTPError, ValueError):
        answer = service.request("POST", "/retrain", json={"mode": mode, "reason": "chaos"})
        return str(answer.json()["id"]) if answer.status_code == 202 else ""
    return ""


def kill_trainer(subject: Subject) -> Effect:
    """The job's driver, in the midst of a teach; then another teach must run to its end."""
    service = subject.service
    _killed_once_there(service, ordered(service, "teach"), "trainer", 60.0)
    return Effect(Retrained(service))


def kill_train_worker(subject: Subject) -> Effect:
    """A worker of Ray Train; the retrain itself must go on to its end."""
    root = dataset_root()
    if root is None or not (root / subject.service.domain).is_dir():
        raise Skipped(f"a full retrain needs the data set {subject.service.domain} here")
    run = ordered(subject.service, "full")
    _killed_once_there(subject.service, run, "train-worker", 240.0)
    return Effect(Retrained(subject.service, run))


def _killed_once_there(service: Service, run: str, part: str, patience_s: float) -> None:
    """Raises NotReady where no such process comes."""
    if not run:
        raise NotReady("a retrain was not taken")
    if not reached(lambda: bool(service.pids(part)), patience_s):
        raise NotReady(f"no {part} was started in {patience_s:g} s")
    send(service.victims(part), signal.SIGKILL)
