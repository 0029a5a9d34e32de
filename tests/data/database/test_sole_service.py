"""sole_service.py: two services on one database refuse each other, whatever is left of one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from data.database.sole_service import sole_service
from data.errors import Conflict, NotReady
from data.home import Home, home_from_env

pytest_plugins = ["support.databases"]

SERVES = """
    import time
    from data.database.sole_service import sole_service
    from data.home import home_from_env
    with sole_service(home_from_env()):
        print("serves", flush=True)
        time.sleep(60)
"""


def home_of(folder: Path, database_url: str) -> Home:
    return home_from_env({"TELLTALE_HOME": str(folder), "TELLTALE_DATABASE_URL": database_url})


def test_a_second_service_on_a_database_is_refused_in_words(
    new_database_url: str, tmp_path: Path
) -> None:
    first, second = (home_of(tmp_path / name, new_database_url) for name in ("a", "b"))
    if new_database_url.startswith("sqlite"):
        second = home_of(tmp_path / "b", f"sqlite:///{tmp_path}/shared.db")
        first = home_of(tmp_path / "a", second.database_url)
    with (
        sole_service(first, patience_s=0),
        pytest.raises(Conflict, match="another Telltale serves from this database"),
    ):
        sole_service(second, patience_s=0).__enter__()
    with sole_service(second, patience_s=0):
        pass


def test_one_that_was_killed_is_in_nobodys_way(new_database_url: str, tmp_path: Path) -> None:
    if new_database_url.startswith("sqlite"):
        new_database_url = f"sqlite:///{tmp_path}/shared.db"
    there = {"TELLTALE_HOME": str(tmp_path / "a"), "TELLTALE_DATABASE_URL": new_database_url}
    environment = os.environ | there | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", "\n".join(line[4:] for line in SERVES.splitlines())]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as serving:
        assert serving.stdout is not None
        assert serving.stdout.readline() == b"serves\n"
        serving.send_signal(signal.SIGKILL)
    with sole_service(home_of(tmp_path / "b", new_database_url)):
        pass


def test_a_database_that_is_away_ends_the_start_in_words(tmp_path: Path) -> None:
    away = home_of(tmp_path, "postgresql://user:secret@127.0.0.1:1/x")
    with pytest.raises(NotReady, match="does not answer") as trouble:
        sole_service(away, patience_s=0).__enter__()
    assert "secret" not in str(trouble.value)
