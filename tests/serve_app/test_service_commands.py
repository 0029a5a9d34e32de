"""telltale status, promote and rollback, against a service that keeps the contract."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from serve_app.service_commands import main
from support.fakes.fake_api import ADMIN, create
from support.fakes.fake_world import World
from support.local_server import Server


@pytest.fixture
def url() -> Iterator[str]:
    with Server(create(World(step_s=0.01))) as url:
        yield url


def test_status_says_a_line_for_each_domain(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--url", url]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "faults       version 1; replicas: 2; clips: none"


def test_the_service_of_this_machine_is_spoken_to_as_its_admin(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "admin-key").write_text(f"{ADMIN}\n", encoding="utf-8")
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path))
    monkeypatch.setenv("TELLTALE_PORT", str(urlsplit(url).port))
    assert main(["promote", "faults", "1"]) == 0
    assert capsys.readouterr().out.startswith("faults: version 1 is the champion; replicas: 2, all")


def test_another_service_never_gets_this_ones_key(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "admin-key").write_text(f"{ADMIN}\n", encoding="utf-8")
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path))
    assert main(["rollback", "faults", "--url", url]) == 1
    assert "this needs a key" in capsys.readouterr().err
    monkeypatch.setenv("TELLTALE_KEY", ADMIN)
    assert main(["promote", "faults", "1", "--url", url]) == 0
