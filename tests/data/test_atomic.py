"""A file is what it was or what was meant, never a part of it."""

import os
import stat
from pathlib import Path

import pytest

from data.atomic import atomic_file


def test_a_file_is_as_it_was_until_the_block_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(b"old")
    with atomic_file(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_fails_changes_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(b"old")
    with pytest.raises(TypeError), atomic_file(path) as file:
        file.writelines([b"half of the n", 1])  # type: ignore[list-item]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_secret_is_never_readable_by_others(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "secret", mode=0o600) as file:
        (written,) = tmp_path.iterdir()
        assert stat.S_IMODE(written.stat().st_mode) == 0o600
        file.write(b"x")
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_the_folder_is_flushed_behind_the_file_so_that_a_power_cut_loses_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, flushed = tmp_path / "clip", list[tuple[bool, bool]]()
    flush = os.fsync

    def seen(handle: int) -> None:
        flushed.append((stat.S_ISDIR(os.fstat(handle).st_mode), path.exists()))
        flush(handle)

    monkeypatch.setattr(os, "fsync", seen)
    with atomic_file(path) as file:
        file.write(b"x")
    assert flushed == [(False, False), (True, True)]
