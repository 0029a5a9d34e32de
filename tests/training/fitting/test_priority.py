"""priority.py: a job gives way to the service, as a process and as a session."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

NICE = 10  # replicas have 5

JOB = """
import os
from training.fitting.priority import lower_session_priority
lower_session_priority()
print(os.nice(0), open("/proc/self/autogroup").read())
"""


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="sessions have no weights")
def test_a_job_and_its_session_give_way() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", JOB]
    said = subprocess.check_output(command, env=environment, start_new_session=True, text=True)
    nice, _, session = said.split(maxsplit=2)
    assert int(nice) >= NICE
    assert session.strip() == f"nice {NICE}"
