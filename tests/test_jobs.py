"""serve_app/jobs.py: what Ray is asked to run."""

import shlex
from types import SimpleNamespace

import pytest

from serve_app.jobs import Jobs

OURS = "10.0.0.5:6379"


class Client:
    """Ray's, which only notes the command."""

    entrypoint = ""

    def submit_job(self, entrypoint: str, **_: object) -> None:
        self.entrypoint = entrypoint


def test_a_retrain_is_told_its_own_cluster_whatever_else_runs_on_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = Client()
    monkeypatch.setattr("serve_app.jobs.JobSubmissionClient", lambda: client)
    monkeypatch.setattr("ray.get_runtime_context", lambda: SimpleNamespace(gcs_address=OURS))
    Jobs().submit("r1", "keywords", "full")
    command, address, *python = shlex.split(client.entrypoint)
    assert (command, address) == ("env", f"RAY_ADDRESS={OURS}")
    assert python[1:] == ["-m", "training.retrain", "keywords", "--mode", "full", "--run", "r1"]
