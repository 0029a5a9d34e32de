"""upload_room.py: small uploads, and files, take room too, and nothing that is over stays."""

import os
import time
from pathlib import Path

import pytest

from serve_app.ui import upload_room
from serve_app.ui.upload_room import FLOOR_BYTES, KEPT_S, UploadRoom, clear


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> UploadRoom:
    monkeypatch.setattr(upload_room, "MOST_BYTES", 32 * FLOOR_BYTES)
    return UploadRoom()


def filled(room: UploadRoom, address: str, size: int) -> int:
    """How many uploads of this size are taken."""
    for number in range(100):
        if room.refuses(address, size):
            return number
        room.take(address, size)
    raise AssertionError("no bound")


def test_an_upload_of_one_byte_counts_as_more(room: UploadRoom) -> None:
    assert filled(room, "10.0.0.1", 1) == 8


def test_one_address_leaves_room_for_others_and_all_have_a_bound(room: UploadRoom) -> None:
    found = [filled(room, f"10.0.0.{number}", 2 * FLOOR_BYTES) for number in range(6)]
    assert found == [4, 4, 4, 4, 0, 0]


def test_what_is_gone_takes_no_room(room: UploadRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(room, "10.0.0.1", 1)
    later = time.monotonic() + KEPT_S + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert filled(room, "10.0.0.1", 1) == 8


def test_folders_without_files_and_broken_uploads_are_removed(tmp_path: Path) -> None:
    for age_s in (0, KEPT_S + 60):
        kept, empty, broken = (tmp_path / f"{name}-{age_s}" for name in ("kept", "empty", "broken"))
        kept.mkdir()
        (kept / "pump.wav").write_bytes(b"sound")
        empty.mkdir()
        broken.write_bytes(b"half of it")
        for path in (kept, empty, broken):
            os.utime(path, times=(time.time() - age_s,) * 2)
    clear(tmp_path)
    left = {path.name.partition("-")[0] for path in tmp_path.iterdir() if not path.match("*-0")}
    assert left == {"kept"}
    assert len(list(tmp_path.glob("*-0"))) == 3
