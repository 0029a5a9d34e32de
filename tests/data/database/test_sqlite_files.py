"""The two SQLite files of a home: whole in themselves after a stop, refused where damaged."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from data.database.sqlite_files import (
    STOP_PATIENCE_S,
    checkpoint,
    maintained_databases,
    must_be_sound,
)
from data.errors import DiskFull, NotReady
from data.home import Home, home_from_env
from data.store.clips.clip_rows import Clip
from data.store.store import Store
from models.registry.registry import Registry
from support.inputs import uploads
from support.inputs.uploads import new_clip
from support.tiny import tiny_bundle

REGISTERS = """
import sys, time
from pathlib import Path
from models.bundle import load_bundle
from models.registry.registry import Registry

registry = Registry(sys.argv[1], str(Path(sys.argv[2]).parent))
version = registry.register(load_bundle(Path(sys.argv[2])), run_id=None, tags={})
registry.promote("keywords", version.number)
print("registered", flush=True)
time.sleep(100)
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path / "home"))
    return home_from_env()


@pytest.fixture
def store(home: Home) -> Store:
    return Store.open(home.database_url, home.storage_uri)


def wal(home: Home, name: str) -> Path:
    return home.root / f"{name}-wal"


def test_after_a_stop_the_file_alone_holds_what_killed_writers_wrote(
    home: Home, store: Store, tmp_path: Path
) -> None:
    with maintained_databases(home):
        command = [sys.executable, uploads.__file__, "killed", home.database_url, home.storage_uri]
        told = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout.split()
        bundle = str(tiny_bundle(tmp_path / "bundle").path)
        command = [sys.executable, "-c", REGISTERS, home.tracking_uri, bundle]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as registering:
            assert registering.stdout
            assert registering.stdout.readline() == b"registered\n"
            registering.send_signal(signal.SIGKILL)
        assert wal(home, "telltale.db").stat().st_size
        assert wal(home, "mlflow.db").stat().st_size
    for name in ("telltale.db", "mlflow.db"):
        shutil.copy(home.root / name, tmp_path / name)
    copied = Store.open(f"sqlite:///{tmp_path}/telltale.db", home.storage_uri)
    assert {clip.sha256 for clip in copied.clips.find("faults", limit=None)} >= set(told)
    assert Registry(f"sqlite:///{tmp_path}/mlflow.db", None).champion("keywords") is not None


def test_a_checkpoint_beside_a_reader_and_a_writer_waits_for_neither(
    home: Home, store: Store, tmp_path: Path
) -> None:
    clip, _ = store.clips.add(new_clip(), who="ann")
    database = home.root / "telltale.db"
    writing = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    with closing(writing) as other:
        other.execute("BEGIN IMMEDIATE")
        patience = threading.Timer(STOP_PATIENCE_S - 1, other.rollback)
        patience.start()
        checkpoint(database)
        assert other.in_transaction, "it has waited for the writer"
        patience.cancel()
        patience.join()
    shutil.copy(database, tmp_path / "copy.db")
    copied = Store.open(f"sqlite:///{tmp_path}/copy.db", home.storage_uri)
    assert copied.clips.get("faults", clip.sha256) == clip


def overwrite(path: Path, at: int, size: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(os.urandom(size))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "header": lambda path: overwrite(path, 0, 100),
    "middle": lambda path: overwrite(path, 4096, path.stat().st_size - 2 * 4096),
    "cut off": lambda path: os.truncate(path, path.stat().st_size // 2),
    "empty": lambda path: os.truncate(path, 0),
    "a text": lambda path: path.write_text("all is lost\n" * 1000),
}


@pytest.fixture(params=DAMAGES)
def damage(request: pytest.FixtureRequest) -> Callable[[Path], object]:
    return DAMAGES[request.param]


@pytest.mark.parametrize("name", ["telltale.db", "mlflow.db"])
def test_a_damaged_database_keeps_the_service_from_starting(
    home: Home, name: str, damage: Callable[[Path], object]
) -> None:
    Store.open(home.database_url, home.storage_uri).close()
    shutil.copy(home.root / "telltale.db", home.root / "mlflow.db")
    damage(home.root / name)
    with (
        pytest.raises(NotReady, match=rf"{name} is damaged.*restore.*move it away"),
        maintained_databases(home),
    ):
        raise AssertionError("it started")


def test_a_start_with_a_damaged_database_ends_in_one_sentence(home: Home) -> None:
    (home.root / "telltale.db").write_bytes(b"garbage" * 1000)
    command = [sys.executable, "-m", "serve_app"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert ended.stderr.startswith("telltale: the database telltale.db is damaged")
    assert len(ended.stderr.splitlines()) == 1
    assert ended.stdout == ""


def test_files_that_are_sound_or_not_there_pass(home: Home, store: Store) -> None:
    must_be_sound(home.root / "telltale.db")
    must_be_sound(home.root / "mlflow.db")
    assert not (home.root / "mlflow.db").exists()


def test_a_database_that_is_damaged_while_it_serves_is_not_ready(
    home: Home, damage: Callable[[Path], object]
) -> None:
    store = Store.open(home.database_url, home.storage_uri)
    store.clips.add_many([new_clip(os.urandom(100)) for _ in range(300)], who="ann")
    store.close()
    damage(home.root / "telltale.db")
    calls: list[Callable[[], object]] = [
        lambda: store.clips.find("faults", limit=None),
        lambda: store.clips.add(new_clip(b"new"), who="ann"),
        lambda: store.events.find(limit=10_000),
    ]
    said = list(filter(None, map(words, calls)))
    assert said, "what is damaged is noticed"
    assert str(home.root) not in str(said)


def words(call: Callable[[], object]) -> str:
    try:
        call()
    except NotReady as error:
        return str(error)
    return ""


def test_a_damaged_registry_is_not_ready(
    home: Home, mlflow_db: Path, damage: Callable[[Path], object]
) -> None:
    damage(Path(shutil.copy(mlflow_db, home.root / "mlflow.db")))
    said = words(lambda: Registry(home.tracking_uri, home.artifact_root).champion("keywords"))
    assert said == "" or "model registry" in said, "of an empty one MLflow makes one anew"
    assert str(home.root) not in said


@pytest.fixture(scope="module")
def mlflow_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow takes seconds to make one."""
    path = tmp_path_factory.mktemp("registry") / "mlflow.db"
    Registry(f"sqlite:///{path}", None)
    checkpoint(path, patience_s=5)
    return path


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk_is_said_and_nothing_half_written_stays(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", small], check=True)
    try:
        store = Store.open(f"sqlite:///{small}/telltale.db", str(small / "blobs"))
        kept: list[Clip] = []
        with pytest.raises(DiskFull, match="disk is full"):
            fill(lambda: kept.append(store.clips.add(new_clip(os.urandom(100_000)), who="ann")[0]))
        assert store.clips.find("faults", limit=None) == kept[::-1]
        blobs = {path.name for path in (small / "blobs").rglob("*") if path.is_file()}
        assert blobs == {clip.sha256 for clip in kept}
        assert store.clips.read(kept[0].sha256)
        with pytest.raises(DiskFull, match="disk is full"):
            fill(lambda: store.events.add("x", subject="x" * 1000, who="ann"))
        store.close()
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def fill(write: Callable[[], object]) -> None:
    for _ in range(10_000):
        write()
