"""key_file.py: keys that were handed out before there was a table of them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from data.access_keys import digest_of
from data.store.store import Store
from serve_app.key_file import known_keys, trouble_of
from support.keys import old_key


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{tmp_path}/telltale.db", str(tmp_path / "blobs"))
    yield store
    store.close()


def test_the_keys_of_a_file_go_on_working_and_the_file_is_done_with(
    store: Store, tmp_path: Path
) -> None:
    keys = {old_key(tmp_path, name, role): (name, role) for name, role in ROLES.items()}
    for _ in range(2):
        found = known_keys(store.keys, tmp_path)
        told = {digest: (key.name, key.role) for digest, key in found.keys.items()}
        assert told == {digest_of(key): row for key, row in keys.items()}
        assert found.trouble == ""
    assert not (tmp_path / "keys.json").exists()


ROLES = {"ann": "viewer", "bob": "contributor", "cid": "admin"}


def test_a_key_that_was_revoked_does_not_come_back_with_its_file(
    store: Store, tmp_path: Path
) -> None:
    old_key(tmp_path, "ann", "viewer")
    raw = (tmp_path / "keys.json").read_bytes()
    known_keys(store.keys, tmp_path)
    store.keys.revoke("ann", who="root")
    (tmp_path / "keys.json").write_bytes(raw)  # as after a crash, or from a backup
    assert known_keys(store.keys, tmp_path).keys == {}


def _turned_into_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:20]),
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(100)),
    "a list": lambda path: path.write_text("[]", encoding="utf-8"),
    "no digest": lambda path: path.write_text('{"0": {"name": "ann", "role": "viewer"}}'),
    "no role": lambda path: path.write_text('{"' + "0" * 64 + '": {"name": "ann"}}'),
    "an unknown role": lambda path: path.write_text(
        '{"' + "0" * 64 + '": {"name": "ann", "role": "king"}}'
    ),
    "a folder": _turned_into_a_folder,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_told_and_left_as_it_is(
    store: Store, tmp_path: Path, damage: str
) -> None:
    old_key(tmp_path, "ann", "viewer")
    path = tmp_path / "keys.json"
    whole = path.read_bytes()
    DAMAGES[damage](path)
    found = known_keys(store.keys, tmp_path)
    assert "keys.json" in found.trouble
    assert "deletes it" in found.trouble
    assert trouble_of(tmp_path) == found.trouble
    if path.is_dir():
        path.rmdir()
    path.write_bytes(whole)
    assert len(known_keys(store.keys, tmp_path).keys) == 1
    assert trouble_of(tmp_path) == ""
