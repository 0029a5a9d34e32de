"""A machine that would not answer as the head does is refused before anything starts."""

import errno
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from data.domains.domain import CONFIGS
from data.errors import Conflict, NotReady, TelltaleError
from data.home import Home
from serve_app.cluster.cluster_file import (
    Cluster,
    announced,
    described,
    ip_towards,
    read_cluster,
    refuse_unfit,
)
from serve_app.cluster.join import joined, wait_while_joined
from serve_app.cluster.ray_internals.node import RayNode
from serve_app.settings import Settings, settings_from_env

HEAD = "10.0.0.5"
HERE = "10.0.0.6"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path))
    pages = {"TELLTALE_CORS_ORIGINS": "https://app.example.org"}
    wide = {"TELLTALE_HOST": "0.0.0.0", "TELLTALE_ADMIN_KEY": "k" * 16}
    return settings_from_env(wide | pages)


@pytest.fixture
def listening() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_a_machine_with_everything_in_common_may_join(settings: Settings) -> None:
    refuse_unfit(settings, described(settings, f"{HEAD}:6379"), HERE)


@pytest.mark.parametrize(
    ("difference", "named"),
    [
        ({"ray": "2.50.0 on Python 3.11.7"}, "Ray 2.50.0"),
        ({"code": "0" * 12}, "the same source"),
        ({"stores": "0"}, "TELLTALE_DATABASE_URL"),
        ({"admin_key": "0"}, "TELLTALE_ADMIN_KEY"),
        ({"host": "127.0.0.1"}, "TELLTALE_HOST=0.0.0.0"),
        ({"kernel": "of another machine"}, "PostgreSQL"),
    ],
)
def test_what_the_head_has_and_this_machine_has_not_is_named(
    settings: Settings, difference: dict[str, str], named: str
) -> None:
    head = replace(described(settings, f"{HEAD}:6379"), **difference)  # type: ignore[arg-type]
    with pytest.raises(Conflict, match=named):
        refuse_unfit(settings, head, HERE)


def test_a_machine_with_other_domain_files_may_not_join(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = described(settings, f"{HEAD}:6379")
    mine = shutil.copytree(CONFIGS, tmp_path / "mine")
    monkeypatch.setenv("TELLTALE_CONFIGS", str(mine))
    refuse_unfit(settings, head, HERE)
    (mine / "faults.yaml").write_text("title: Others", encoding="utf-8")
    with pytest.raises(Conflict, match="domain files"):
        refuse_unfit(settings, head, HERE)


def test_a_machine_with_other_code_in_any_room_may_not_join(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "code" / "serve_app" / "replica" / "batcher.py"
    file.parent.mkdir(parents=True)
    file.write_text("one", encoding="utf-8")
    monkeypatch.setattr("serve_app.cluster.cluster_file.CODE", tmp_path / "code")
    head = described(settings, f"{HEAD}:6379")
    file.write_text("two", encoding="utf-8")
    with pytest.raises(Conflict, match="the same source"):
        refuse_unfit(settings, head, HERE)


def test_machines_that_share_a_database_server_may_have_kernels_of_their_own(
    settings: Settings,
) -> None:
    home = replace(settings.home, database_url="postgresql+psycopg://user@db/telltale")
    there = replace(settings, home=home)
    refuse_unfit(there, replace(described(there, f"{HEAD}:6379"), kernel="another"), HERE)


def test_a_head_on_loopback_takes_nodes_of_its_own_machine(settings: Settings) -> None:
    head = replace(described(settings, f"{HEAD}:6379"), host="127.0.0.1")
    refuse_unfit(settings, head, HEAD)


def test_another_home_with_the_same_layout_keeps_the_same_stores(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path / "mounted"))
    mounted = settings_from_env({})
    assert described(mounted, "").stores == described(settings, "").stores


def test_the_head_announces_itself_to_its_owner_while_it_runs(settings: Settings) -> None:
    with announced(settings, f"{HEAD}:6379"):
        path = settings.home.root / "cluster.json"
        assert read_cluster(settings.home) == described(settings, f"{HEAD}:6379")
        assert path.stat().st_mode & 0o077 == 0
        assert settings.admin_key not in path.read_text(encoding="utf-8")
    assert not path.exists()


def test_a_home_without_a_head_is_refused(settings: Settings) -> None:
    with pytest.raises(NotReady, match="TELLTALE_HOME"), joined(settings, "", lambda text: None):
        raise AssertionError("it joined")


class Healthy(RayNode):
    """All of its processes are well; the head takes its word back while it is looked at again."""

    def __init__(self, head: ExitStack, leaves_at: int) -> None:
        self.looked, self._head, self._leaves_at = 0, head, leaves_at

    def ended(self) -> dict[str, int]:
        self.looked += 1
        if self.looked == self._leaves_at:
            self._head.close()
        return {}


def test_a_machine_gives_up_when_the_head_takes_its_word_back(settings: Settings) -> None:
    head = ExitStack()
    node = Healthy(head, leaves_at=1)
    head.enter_context(announced(settings, f"{HEAD}:6379"))
    with pytest.raises(NotReady, match="the head has stopped"):
        wait_while_joined(node, settings.home)
    assert node.looked == 1


def test_a_shared_folder_that_is_away_for_a_moment_is_no_reason_to_leave(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(home: Home) -> Cluster:
        if node.looked == 2:
            raise OSError(errno.ESTALE, "Stale file handle")
        return read_cluster(home)

    head = ExitStack()
    node = Healthy(head, leaves_at=3)
    head.enter_context(announced(settings, f"{HEAD}:6379"))
    monkeypatch.setattr("serve_app.cluster.join.read_cluster", read)
    monkeypatch.setattr("serve_app.cluster.join.time.sleep", lambda seconds: None)
    with pytest.raises(NotReady, match="the head has stopped"):
        wait_while_joined(node, settings.home)
    assert node.looked == 3


@pytest.mark.parametrize("damage", ["", "{}", "[]", '{"domains": []}'])
def test_an_announcement_of_another_version_is_refused(settings: Settings, damage: str) -> None:
    (settings.home.root / "cluster.json").write_text(damage, encoding="utf-8")
    with pytest.raises(Conflict, match="another version"):
        read_cluster(settings.home)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere.invalid:6379", "6379", "", "h:port"])
def test_a_head_that_cannot_be_reached_is_named(settings: Settings, address: str) -> None:
    with pytest.raises(TelltaleError, match=f"'{address}'|at {address} "):
        ip_towards(described(settings, address))


def test_this_machines_address_is_the_one_the_head_sees(settings: Settings, listening: str) -> None:
    assert ip_towards(described(settings, listening)) == "127.0.0.1"
