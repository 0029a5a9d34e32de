"""A teach whose process waits for its job does the same work, and lives as long as the job."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.teaching import School, school

Process = subprocess.Popen[str]
ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 60


@pytest.fixture
def keywords(tmp_path: Path) -> Iterator[School]:
    with school(tmp_path) as opened:
        opened.send()
        opened.store.runs.start("r1", domain="keywords", mode="teach", reason="", who="ann")
        yield opened


def started(home: Path, *arguments: str) -> Process:
    command = [sys.executable, "-m", "training.prestarted", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TELLTALE_HOME": str(home)}
    out, error = subprocess.PIPE, subprocess.STDOUT
    return subprocess.Popen(command, env=environment, stdout=out, stderr=error, text=True)


def waiting(home: Path) -> Process:
    process, deadline = started(home, "wait", str(home / "s")), time.monotonic() + PATIENCE_S
    while not (home / "s").is_socket() and time.monotonic() < deadline:
        time.sleep(0.01)
    return process


def job(home: Path) -> Process:
    return started(home, "work", str(home / "s"), "keywords", "--mode", "teach", "--run", "r1")


@pytest.mark.parametrize("ahead", [True, False])
def test_a_job_does_the_work_in_the_process_that_waits_for_it_or_in_its_own(
    keywords: School, ahead: bool
) -> None:
    home = keywords.home.root
    process = waiting(home) if ahead else None
    worked = job(home)
    said = worked.communicate(timeout=PATIENCE_S)[0]
    assert worked.returncode == 0, said
    assert "teach run r1 started" in said
    assert keywords.store.runs.get("r1").state == "succeeded"
    assert not (home / "s").exists()
    if process:
        assert process.communicate(timeout=PATIENCE_S)[0] == ""
        assert process.returncode == 0


@pytest.mark.parametrize(
    ("number", "state"), [(signal.SIGTERM, "cancelled"), (signal.SIGKILL, "queued")]
)
def test_the_work_ends_with_its_job(keywords: School, number: signal.Signals, state: str) -> None:
    home = keywords.home.root
    process, database = waiting(home), sqlite3.connect(home / "telltale.db")
    database.execute("BEGIN IMMEDIATE")  # so that the work is still under way
    worked = job(home)
    while (home / "s").exists():
        time.sleep(0.01)
    time.sleep(0.5)
    worked.send_signal(number)
    if number == signal.SIGKILL:
        process.communicate(timeout=PATIENCE_S)
    database.close()
    for one in (worked, process):
        one.communicate(timeout=PATIENCE_S)
    assert (worked.returncode, process.returncode) == (-9 if number == signal.SIGKILL else 1, 1)
    assert keywords.store.runs.get("r1").state == state
