"""Keys and roles: who may do what, and what stays secret."""

import stat
from pathlib import Path

import pytest

from data.errors import Conflict, Forbidden, InvalidParameter, Unauthorized
from serve_app.auth import Keyring, add_key

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
