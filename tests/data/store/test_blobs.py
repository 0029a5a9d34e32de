"""Every kind of blob store keeps the same promises."""

import errno
import io
import os
import threading
import time
from pathlib import Path

import pytest
from pyarrow.fs import FileSystem

from data.errors import DiskFull, InvalidParameter, NotReady, UnknownName
from data.store.blobs import Blobs, Bucket, Folder, open_blobs

NAME = "ab" + "0" * 62


@pytest.fixture(params=["folder", "bucket"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "folder":
        return Folder(tmp_path / "blobs")
    # Arrow's own in-memory store stands in for S3: the same calls, the same flat names.
    filesystem, _ = FileSystem.from_uri("mock:///")
    filesystem.create_dir("bucket/clips/parts")
    return Bucket(filesystem, "bucket/clips/")


def test_what_was_put_is_got_until_it_is_deleted(blobs: Blobs) -> None:
    assert not blobs.has(NAME)
    blobs.put(NAME, b"hum")
    blobs.put(NAME, b"hum")
    assert blobs.has(NAME)
    assert blobs.get(NAME) == b"hum"
    blobs.delete(NAME)
    blobs.delete(NAME)
    assert not blobs.has(NAME)


def test_a_file_lies_beside_the_clips_under_its_own_name(blobs: Blobs) -> None:
    blobs.put(NAME, b"hum")
    blobs.put_file("parts/1", io.BytesIO(b"the first"))
    blobs.put_file("parts/1", io.BytesIO(b"part"))
    target = io.BytesIO()
    blobs.copy_to("parts/1", target)
    assert target.getvalue() == b"part"
    assert list(blobs.older_than(-60)) == [NAME]
    assert list(blobs.older_than(-60, "parts")) == ["parts/1"]
    blobs.delete("parts/1")
    with pytest.raises(UnknownName):
        blobs.copy_to("parts/1", target)
    assert blobs.get(NAME) == b"hum"


def test_a_blob_outlives_a_power_cut_also_where_its_folder_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs, flushed = Folder(tmp_path), list[str]()
    monkeypatch.setattr(
        os, "fsync", lambda handle: flushed.append(os.readlink(f"/proc/self/fd/{handle}"))
    )
    blobs.put(NAME, b"hum")
    assert {str(tmp_path), str(tmp_path / NAME[:2])} < set(flushed)
    flushed.clear()
    blobs.put(f"ab1{NAME[3:]}", b"hum")
    assert str(tmp_path) not in flushed, "which costs a write that nothing needs"


def test_a_missing_blob_is_named(blobs: Blobs) -> None:
    with pytest.raises(UnknownName, match=NAME):
        blobs.get(NAME)


def test_blobs_are_listed_by_age(blobs: Blobs) -> None:
    blobs.put(NAME, b"hum")
    assert list(blobs.older_than(-60)) == [NAME]
    assert list(blobs.older_than(3600)) == []


def test_a_reader_never_sees_part_of_a_blob(tmp_path: Path) -> None:
    folder, raw = Folder(tmp_path), os.urandom(4_000_000)
    writer = threading.Thread(target=folder.put, args=(NAME, raw))
    writer.start()
    while not folder.has(NAME):
        time.sleep(0)
    assert folder.get(NAME) == raw
    writer.join()


def test_a_write_that_fails_leaves_nothing_to_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    folder = Folder(tmp_path)
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DiskFull, match="disk is full"):
        folder.put(NAME, b"hum")
    assert not folder.has(NAME)
    assert list(folder.older_than(-60)) == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_uri_opens_its_kind_of_store(tmp_path: Path) -> None:
    for uri in (str(tmp_path / "a b"), f"file://{tmp_path}/a%20b"):
        open_blobs(uri).put(NAME, b"hum")
    assert (tmp_path / "a b" / "ab" / NAME).read_bytes() == b"hum"
    assert isinstance(open_blobs("s3://bucket/clips?region=eu-west-1"), Bucket)
    with pytest.raises(InvalidParameter, match="s3://bucket/prefix"):
        open_blobs("ftp://host/clips")


class Away:
    """A file system at the end of a cut cable."""

    def get_file_info(self, path: str) -> None:
        raise OSError(f"could not connect to 10.0.0.1 for {path}")


def test_a_bucket_that_is_away_is_not_ready() -> None:
    with pytest.raises(NotReady, match="store of clips does not answer") as trouble:
        Bucket(Away(), "bucket").put(NAME, b"hum")
    assert "10.0.0.1" not in str(trouble.value)
