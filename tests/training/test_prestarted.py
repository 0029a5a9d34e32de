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
PATIENCE_S = 240  # the work gives way to all others, and imports for seconds


@pytest.fixture
def keywords(tmp_path: Path) -> Iterator[School]:
    with school(tmp_path) as opened:
        opened.send()
        opened.store.runs.start("r1", domain="keywords", mode="teach", reason="", who="ann")
        yield opened


def started(home: Path, *arguments: str) -> Process:
    """Also the process that waits ends with the standard input, when a test leaves it behind."""
    command = [sys.executable, "-m", "training.prestarted", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TELLTALE_HOME": str(home)}
    out, error = subprocess.PIPE, subprocess.STDOUT
    return subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=out, stderr=error, text=True
    )


def waiting(home: Path) -> Process:
    process, deadline = started(home, "wait", str(home / "s")), time.monotonic() + PATIENCE_S
    while not (home / "s").is_socket() and time.monotonic() < deadline:
        time.sleep(0.01)
    return process


def job(home: Path, run: str = "r1") -> Process:
    return started(home, "work", str(home / "s"), "keywords", "--mode", "teach", "--run", run)


def has_forked(process: Process, forked: bool = True) -> bool:
    """Looked at until it is so."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + PATIENCE_S
    while bool(children.read_text()) != forked and time.monotonic() < deadline:
        time.sleep(0.01)
    return bool(children.read_text())


def done(worked: Process, run: str) -> None:
    said = worked.communicate(timeout=PATIENCE_S)[0]
    assert worked.returncode == 0, said
    assert f"teach run {run} started" in said


def test_a_job_does_the_work_in_its_own_process_where_none_waits(keywords: School) -> None:
    home = keywords.home.root
    done(job(home), "r1")
    assert keywords.store.runs.get("r1").state == "succeeded"
    assert not (home / "s").exists()


def test_one_process_does_the_work_of_job_after_job(keywords: School) -> None:
    home, runs = keywords.home.root, keywords.store.runs
    process = waiting(home)
    for run in ("r1", "r2"):
        if run == "r2":
            runs.start(run, domain="keywords", mode="teach", reason="", who="ann")
        done(job(home, run), run)
        assert runs.get(run).state == "succeeded"
    assert not has_forked(process, forked=False)  # nothing is left of them
    assert process.communicate(timeout=PATIENCE_S)[0] == ""  # its starter has gone
    assert process.returncode == 0
    assert not (home / "s").exists()


@pytest.mark.parametrize(
    ("number", "state"), [(signal.SIGTERM, "cancelled"), (signal.SIGKILL, "queued")]
)
def test_the_work_ends_with_its_job(keywords: School, number: signal.Signals, state: str) -> None:
    home = keywords.home.root
    process, database = waiting(home), sqlite3.connect(home / "telltale.db")
    database.execute("BEGIN IMMEDIATE")  # so that the work is still under way
    worked = job(home)
    assert has_forked(process)
    time.sleep(0.5)
    worked.send_signal(number)
    if number == signal.SIGKILL:
        assert not has_forked(process, forked=False)
    database.close()
    worked.communicate(timeout=PATIENCE_S)
    assert worked.returncode == (-9 if number == signal.SIGKILL else 1)
    assert not has_forked(process, forked=False)
    assert keywords.store.runs.get("r1").state == state
    process.communicate(timeout=PATIENCE_S)


def test_what_waits_has_imported_all_that_the_work_does(keywords: School) -> None:
    home = keywords.home.root
    heavy = (
        "training.retrain, mlflow.store.tracking.sqlalchemy_store, alembic.command, scipy.optimize"
    )
    asked = f"""
import sys
from training.prestarted import _imported
_imported()
print(sorted(each for each in "{heavy}".split(", ") if each not in sys.modules))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TELLTALE_HOME": str(home)}
    seen = subprocess.run(
        [sys.executable, "-c", asked], env=environment, capture_output=True, text=True, check=True
    )
    assert seen.stdout.strip() == "[]"
