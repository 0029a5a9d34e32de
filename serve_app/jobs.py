"""Retrains as Ray jobs: submitted with parameters from an allow-list, stopped, looked after."""

import shlex
import sys
import uuid

from ray.job_submission import JobStatus, JobSubmissionClient

from data.domain import Mode

OVER = {JobStatus.STOPPED, JobStatus.FAILED, JobStatus.SUCCEEDED}


def new_run_id() -> str:
    return uuid.uuid4().hex[:12]


class Jobs:
    """Blocking; address and token come from Ray's own environment variables."""

    def __init__(self) -> None:
        self._client = JobSubmissionClient()

    def submit(self, run_id: str, domain: str, mode: Mode) -> None:
        command = [sys.executable, "-m", "training.retrain", domain, "--mode", mode]
        self._client.submit_job(
            entrypoint=shlex.join([*command, "--run", run_id]),
            submission_id=run_id,
            # The driver only waits; Ray Train's workers ask for what they use.
            entrypoint_num_cpus=0,
        )

    def stop(self, run_id: str) -> None:
        if not self.is_over(run_id):
            self._client.stop_job(run_id)

    def is_over(self, run_id: str) -> bool:
        """True for a job that ended, and for one that this cluster never knew."""
        try:
            return self._client.get_job_status(run_id) in OVER
        except RuntimeError:
            return True
