"""Retrains as Ray jobs: submitted with parameters from an allow-list, stopped, looked after."""

import logging
import os
import shlex
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import ray
import requests
from ray.job_submission import JobStatus, JobSubmissionClient

from data.domains.domain import Mode
from data.errors import NotReady
from serve_app.cluster.ray_internals.workers import prestart_supervisor

log = logging.getLogger("ray.serve")

JobState = Literal["alive", "failed", "ended", "unknown"]
ATTEMPTS = 2
TRAINS_AT = "10"  # replicas are at 5; training keeps to it by itself (training/fitting/priority.py)
PRESTARTED, EXPECTED_S = "training.prestarted", 900  # it waits as long as that


def new_run_id() -> str:
    return uuid.uuid4().hex[:12]


class Jobs:
    """Blocking; address and token come from Ray's own environment variables. A run whose driver
    died may be submitted once more: training goes on from its last checkpoint. `sockets` is a
    folder of this service's alone, where the process that teaches waits for jobs."""

    def __init__(self, sockets: Path) -> None:
        self._client = JobSubmissionClient()
        self._waiting = str(sockets / f"teach-{os.getpid()}.sock")
        self._teacher: subprocess.Popen[bytes] | None = None
        self._one_starts = threading.Lock()

    def submit(
        self, run_id: str, domain: str, mode: Mode, attempt: int = 1, options: Sequence[str] = ()
    ) -> None:
        """With `RunOptions.arguments()`. Raises NotReady where Ray takes no jobs at present."""
        # Of several Rays on a machine, Ray itself tells a job the address of any.
        begin = ["env", f"RAY_ADDRESS={ray.get_runtime_context().gcs_address}"]
        teaches = mode == "teach"
        module = [PRESTARTED, "work", self._waiting] if teaches else ["training.retrain"]
        if not teaches:  # its imports alone would keep replicas waiting
            begin += ["nice", "-n", TRAINS_AT]
        arguments = [domain, "--mode", mode, "--run", run_id, *options]
        try:
            self._client.submit_job(
                entrypoint=shlex.join([*begin, sys.executable, "-m", *module, *arguments]),
                submission_id=_job_id(run_id, attempt),
                # The driver only waits; Ray Train's workers ask for what they use.
                entrypoint_num_cpus=0,
            )
        except (RuntimeError, OSError) as error:
            raise NotReady("Ray takes no jobs at present; try again in a few seconds") from error
        if teaches:
            self._await_teach()

    def stand_by(self) -> None:
        """A teach is expected: what it would wait for starts, or waits longer. Never raises."""
        self._await_teach()
        try:
            prestart_supervisor(EXPECTED_S)
        except Exception:  # it starts with the job, as it would without
            log.warning("no process stands by for a job", exc_info=True)

    def _await_teach(self) -> None:
        """See training/prestarted.py."""
        with self._one_starts:
            if self._teacher is None or self._teacher.poll() is not None:
                command = [sys.executable, "-m", PRESTARTED, "wait", self._waiting]
                # It ends with this process, which holds the other end of its standard input.
                try:
                    self._teacher = subprocess.Popen(
                        command, stdin=subprocess.PIPE, start_new_session=True
                    )
                except OSError:  # no process to spare: the job does the work itself
                    log.warning("no process stands by for teaching", exc_info=True)
                    return
                threading.Thread(target=self._teacher.wait, daemon=True).start()
                return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
            asking.connect(self._waiting)

    def stop(self, run_id: str) -> None:
        attempt, state = self.state(run_id)
        if state == "alive":
            self._client.stop_job(_job_id(run_id, attempt))

    def state(self, run_id: str) -> tuple[int, JobState]:
        """The last attempt and how it fares; "unknown" if this cluster never had the job (it was
        started by hand, or by a cluster that is gone). Raises NotReady if Ray does not say."""
        for attempt in range(ATTEMPTS, 0, -1):
            state = self._state(_job_id(run_id, attempt))
            if state != "unknown":
                return attempt, state
        return 0, "unknown"

    def _state(self, job_id: str) -> JobState:
        try:
            status = self._client.get_job_status(job_id)
        except (RuntimeError, requests.RequestException) as error:
            if f"{job_id} does not exist" in str(error):  # not any 404: one of a start-up is none
                return "unknown"
            raise NotReady("Ray's job list cannot be read") from error
        if status == JobStatus.FAILED:
            return "failed"
        return "ended" if status.is_terminal() else "alive"


def _job_id(run_id: str, attempt: int) -> str:
    return run_id if attempt == 1 else f"{run_id}-{attempt}"
