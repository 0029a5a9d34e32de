"""Spares: which workers count, and which of them imports ahead."""

import asyncio
import os
import time
from contextlib import suppress
from pathlib import Path

import pytest

from serve_app.cluster import standby
from serve_app.cluster.ray_internals import workers


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder that exists once this process has warmed itself, as a worker of raylet 7 would."""
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path))
    monkeypatch.setenv("RAY_RAYLET_PID", "7")
    monkeypatch.syspath_prepend(tmp_path)
    name, mark = f"needed_{tmp_path.name}", tmp_path / "imported"
    (tmp_path / f"{name}.py").write_text(f"import os; os.mkdir({str(mark)!r})")
    monkeypatch.setattr(standby, "NEEDED", (name,))
    return mark


def test_a_worker_that_nobody_called_for_imports_nothing(imported: Path) -> None:
    standby.warm_if_called_for()
    assert not imported.exists()


def test_a_call_is_answered_by_one_worker(imported: Path) -> None:
    standby._call().touch()
    standby.warm_if_called_for()
    assert imported.exists()
    assert not standby._call().exists()


def test_a_call_that_nobody_heard_is_not_answered_later(imported: Path) -> None:
    standby._call().touch()
    before = time.time() - standby.CALL_HOLDS_S - 1
    os.utime(standby._call(), (before, before))
    standby.warm_if_called_for()
    assert not imported.exists()


def test_a_worker_goes_on_when_an_import_fails(
    imported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standby, "NEEDED", ("no_such_module",))
    standby._call().touch()
    standby.warm_if_called_for()


def test_the_workers_of_another_cluster_or_job_are_not_counted(tmp_path: Path) -> None:
    process(tmp_path, 11, "ray::IDLE", raylet=7, job="02000000")
    process(tmp_path, 12, "python default_worker.py --node-id=1", raylet=7, job="02000000")
    process(tmp_path, 13, "ray::IDLE", raylet=8, job="02000000")
    process(tmp_path, 14, "ray::IDLE", raylet=7, job="03000000")
    process(tmp_path, 15, "bash", raylet=7, job="02000000")
    (tmp_path / "16").mkdir()  # ended between two reads
    found = workers.workers("7", "02000000", tmp_path)
    assert found == {11: "ray::IDLE", 12: "python default_worker.py --node-id=1"}


def test_keeping_spares_goes_on_where_ray_is_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_RAYLET_PID", raising=False)
    monkeypatch.setattr(standby, "AFTER_TROUBLE_S", 0.01)
    own_workers = workers.own_workers
    with pytest.raises(KeyError):
        own_workers()  # also imports Ray, which can take its time
    failed: list[KeyError] = []

    def counted() -> dict[int, str]:
        try:
            return own_workers()
        except KeyError as error:
            failed.append(error)
            raise

    async def until_it_has_failed_twice() -> None:
        keeping = asyncio.create_task(standby.keep_spares(1))
        while len(failed) < 2 and not keeping.done():
            await asyncio.sleep(0.01)
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping  # what it raised, if it did

    monkeypatch.setattr(workers, "own_workers", counted)
    asyncio.run(asyncio.wait_for(until_it_has_failed_twice(), 20))
    assert len(failed) >= 2


def test_no_spares_are_called_for_once_the_job_they_would_be_of_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called: list[str] = []
    monkeypatch.setattr(standby, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(workers, "own_workers", lambda: {1: "ray::ServeReplica"})
    monkeypatch.setattr(workers, "own_job_has_ended", lambda: len(called) == 2)
    monkeypatch.setattr(standby, "_prestart", lambda: called.append("one"))
    asyncio.run(asyncio.wait_for(standby.keep_spares(1), 20))
    assert len(called) == 2


def test_no_spares_are_kept_where_none_are_wanted() -> None:
    asyncio.run(standby.keep_spares(0))


def process(proc: Path, pid: int, title: str, raylet: int, job: str) -> None:
    folder = proc / str(pid)
    folder.mkdir()
    (folder / "cmdline").write_bytes(title.replace(" ", "\0").encode() + b"\0" * 8)
    environment = f"PATH=/bin\0RAY_RAYLET_PID={raylet}\0RAY_JOB_ID={job}\0"
    (folder / "environ").write_bytes(environment.encode())
