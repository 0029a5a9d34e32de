"""Keys and roles: who may do what, and what stays secret."""

import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from data.errors import Conflict, Forbidden, InvalidParameter, NotReady, Unauthorized
from serve_app.http.auth import Keyring, add_key

ADMIN_KEY = "an admin key of this test"


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(ADMIN_KEY, tmp_path / "keys.json")


def test_no_key_is_anonymous_and_may_not_upload(keyring: Keyring) -> None:
    caller = keyring.caller(None)
    assert caller.role == "anonymous"
    with pytest.raises(Unauthorized, match="contributor"):
        caller.require("contributor")


def test_the_admin_key_may_do_everything(keyring: Keyring) -> None:
    caller = keyring.caller(f"Bearer {ADMIN_KEY}")
    for role in ("viewer", "contributor", "admin"):
        caller.require(role)


@pytest.mark.parametrize("header", ["Bearer wrong", "Basic abc", "Bearer ", "Bearer"])
def test_a_wrong_key_is_refused_even_where_none_is_needed(keyring: Keyring, header: str) -> None:
    with pytest.raises(Unauthorized):
        keyring.caller(header)


def test_a_key_made_while_the_service_runs_works_at_once(keyring: Keyring, tmp_path: Path) -> None:
    key = add_key(tmp_path / "keys.json", "ann", "contributor")
    assert key.startswith("tt_")  # never "-", which a command line takes for an option
    caller = keyring.caller(f"Bearer {key}")
    assert (caller.name, caller.role) == ("ann", "contributor")
    with pytest.raises(Forbidden, match="ann"):
        caller.require("admin")


def test_keys_are_kept_as_digests_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    key = add_key(path, "ann", "viewer")
    assert key not in path.read_text(encoding="utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_name_gets_one_key_and_a_known_role(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    add_key(path, "ann", "viewer")
    with pytest.raises(Conflict, match="ann"):
        add_key(path, "ann", "admin")
    with pytest.raises(InvalidParameter, match="viewer, contributor, admin"):
        add_key(path, "bob", "king")


def _turned_into_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:20]),
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(100)),
    "a list": lambda path: path.write_text("[]", encoding="utf-8"),
    "no role": lambda path: path.write_text('{"' + "0" * 64 + '": {"name": "ann"}}'),
    "an unknown role": lambda path: path.write_text(
        '{"' + "0" * 64 + '": {"name": "ann", "role": "king"}}'
    ),
    "a folder": lambda path: _turned_into_a_folder(path),
}


@pytest.fixture(params=DAMAGES)
def damage(request: pytest.FixtureRequest) -> Callable[[Path], object]:
    return DAMAGES[request.param]


def test_damaged_keys_leave_the_admin_and_who_was_known(
    keyring: Keyring, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    path = tmp_path / "keys.json"
    key = add_key(path, "ann", "viewer")
    keyring.caller(f"Bearer {key}")
    damage(path)
    assert keyring.caller(f"Bearer {ADMIN_KEY}").role == "admin"
    assert keyring.caller(f"Bearer {key}").name == "ann"
    assert keyring.caller(None).role == "anonymous"
    with pytest.raises(NotReady, match=r"keys\.json cannot be read.*deletes it"):
        keyring.caller("Bearer somebody else's")
    assert keyring.trouble


def test_a_service_that_starts_with_damaged_keys_knows_the_admin(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    path = tmp_path / "keys.json"
    key = add_key(path, "ann", "viewer")
    damage(path)
    keyring = Keyring(ADMIN_KEY, path)
    assert keyring.caller(f"Bearer {ADMIN_KEY}").role == "admin"
    with pytest.raises(NotReady, match=r"keys\.json cannot be read"):
        keyring.caller(f"Bearer {key}")


def test_keys_that_are_mended_count_again(keyring: Keyring, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    key = add_key(path, "ann", "viewer")
    whole = path.read_bytes()
    path.write_text("{", encoding="utf-8")
    with pytest.raises(NotReady):
        keyring.caller(f"Bearer {key}")
    path.write_bytes(whole)
    assert keyring.caller(f"Bearer {key}").name == "ann"
    assert keyring.trouble == ""


def test_damaged_keys_are_not_written_over(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    path = tmp_path / "keys.json"
    add_key(path, "ann", "viewer")
    damage(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(NotReady, match=r"keys\.json cannot be read"):
        add_key(path, "bob", "viewer")
    assert (path.read_bytes() if path.is_file() else None) == before


def test_keys_made_at_the_same_moment_all_count(keyring: Keyring, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from serve_app.http.auth import add_key\n"
        "for n in range(20): print(add_key(Path(sys.argv[1]), f'{sys.argv[2]}-{n}', 'viewer'))"
    )
    makers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "keys.json"), who],
            stdout=subprocess.PIPE,
            text=True,
        )
        for who in ("ann", "bob", "cid")
    ]
    keys = [key for maker in makers for key in maker.communicate()[0].split()]
    assert len(keys) == 60
    assert len({keyring.caller(f"Bearer {key}").name for key in keys}) == 60
