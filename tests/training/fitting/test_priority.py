"""priority.py: a job gives way to the service, as a process and as a session."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from training.fitting import priority

NICE = 10  # replicas have 5

JOB = """
import os
from training.fitting.priority import lower_session_priority
lower_session_priority()
print(os.nice(0), open("/proc/self/autogroup").read())
"""


needs_sessions = pytest.mark.skipif(
    not Path("/proc/self/autogroup").exists(), reason="sessions have no weights"
)


@needs_sessions
def test_a_job_and_its_session_give_way() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", JOB]
    said = subprocess.check_output(command, env=environment, start_new_session=True, text=True)
    nice, _, session = said.split(maxsplit=2)
    assert int(nice) >= NICE
    assert session.strip() == f"nice {NICE}"


@needs_sessions
def test_a_worker_gives_way_from_its_first_instruction_on_in_a_session_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(priority, "NICE", NICE)  # which is 0 in tests
    program = "import os, sys; print(os.getpid() == os.getsid(0), os.nice(0), sys.argv[1:])"
    program += "; print(open('/proc/self/autogroup').read())"
    line = f"exec {priority.at_low_priority(sys.executable)} -c {shlex.quote(program)} 'two words'"
    shell = subprocess.Popen(["bash", "-c", line], stdout=subprocess.PIPE, text=True)
    said = shell.communicate()[0].split("\n")
    assert said[0] == f"True {NICE} ['two words']"
    assert said[1].endswith(f"nice {NICE}")
    assert shell.returncode == 0
