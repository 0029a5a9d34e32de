"""ray_jobs.py: what Ray is asked to run."""

import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest

from data.errors import NotReady
from serve_app.control.ray_jobs import Jobs

OURS = "10.0.0.5:6379"


class Client:
    """Ray's, which only notes the command."""

    entrypoint = ""
    words = "Job r1 does not exist"

    def get_job_status(self, job_id: str) -> None:
        words = self.words if job_id == "r1" else f"Job {job_id} does not exist"
        raise RuntimeError(f"Request failed with status code 404: {words}.")

    def submit_job(self, entrypoint: str, **_: object) -> None:
        self.entrypoint = entrypoint


def test_a_retrain_is_told_its_own_cluster_and_begins_at_a_low_priority(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = Client()
    monkeypatch.setattr("serve_app.control.ray_jobs.JobSubmissionClient", lambda: client)
    monkeypatch.setattr("ray.get_runtime_context", lambda: SimpleNamespace(gcs_address=OURS))
    Jobs(Path()).submit("r1", "keywords", "full", options=["--epochs", "3"])
    words = shlex.split(client.entrypoint)
    assert words[:5] == ["env", f"RAY_ADDRESS={OURS}", "nice", "-n", "10"]
    python = words[5:]
    ours = ["-m", "training.retrain", "keywords", "--mode", "full", "--run", "r1"]
    assert python[1:] == [*ours, "--epochs", "3"]


def test_a_job_is_only_unknown_if_the_job_list_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    monkeypatch.setattr("serve_app.control.ray_jobs.JobSubmissionClient", lambda: client)
    assert Jobs(Path()).state("r1") == (0, "unknown")
    client.words = "404: Not Found"  # a dashboard that has just started knows no route yet
    with pytest.raises(NotReady):
        Jobs(Path()).state("r1")
