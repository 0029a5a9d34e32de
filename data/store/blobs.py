"""The bytes of clips, each under the SHA-256 of its content: a folder, or a bucket by URI.

What has another name, with a folder in it ("parts/..."), lies beside them: large, and not for long.

A blob appears whole or not at all. In a folder it is written aside, flushed to the disk and
renamed, and its folder is flushed; an object store shows an object only once its upload is
complete. A folder needs the standard library alone, so that a replica pays for pyarrow (0.3 s,
40 MB) only with a bucket.
"""

import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from data.atomic import atomic_file, flush_folder
from data.errors import DiskFull, InvalidParameter, NotReady, UnknownName

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

PIECE_BYTES = 1024**2


class Blobs(Protocol):
    def put(self, sha256: str, raw: bytes) -> None: ...

    def has(self, sha256: str) -> bool: ...

    def get(self, sha256: str) -> bytes:
        """Raises UnknownName where there is no such blob."""
        ...

    def delete(self, sha256: str) -> None:
        """Nothing happens where there is no such blob."""
        ...

    def older_than(self, age_s: float, folder: str = "") -> Iterator[str]:
        """Of clips, or of what lies in a folder."""
        ...

    def put_file(self, name: str, source: BinaryIO) -> None:
        """From where it stands, in pieces; in place of what was there."""
        ...

    def copy_to(self, name: str, target: BinaryIO) -> None:
        """Raises UnknownName where there is no such blob."""
        ...

    def discard_unfinished(self, age_s: float) -> None:
        """Remove what writers that died left behind, out of every reader's sight."""
        ...


def open_blobs(uri: str) -> Blobs:
    """A folder (a path or file://) or a bucket (s3://bucket/prefix, gs://bucket/prefix)."""
    folder = local_folder(uri)
    if folder is not None:
        return Folder(folder)
    from pyarrow import ArrowInvalid
    from pyarrow.fs import FileSystem

    try:
        filesystem, root = FileSystem.from_uri(uri)
    except ArrowInvalid as error:
        raise InvalidParameter(
            f"the storage URI is not understood ({error}); it is a folder, s3://bucket/prefix "
            "or gs://bucket/prefix"
        ) from error
    return Bucket(filesystem, root)


def local_folder(uri: str) -> Path | None:
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file"):
        return None
    return Path(unquote(parts.path)) if parts.scheme else Path(uri)


def blob_path(sha256: str) -> str:
    """Below a folder of blobs."""
    return f"{sha256[:2]}/{sha256}"


class Folder:
    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._unfinished = self._root / "unfinished"
        with _named_trouble():
            self._unfinished.mkdir(parents=True, exist_ok=True)

    def _path(self, name: str) -> Path:
        return self._root / (name if "/" in name else blob_path(name))

    def put(self, sha256: str, raw: bytes) -> None:
        path = self._path(sha256)
        with _named_trouble():
            if path.exists():
                flush_folder(path.parent)  # whoever writes it may not be so far
                return
            _make_folder(path.parent)
            with atomic_file(path, aside=self._unfinished) as file:
                file.write(raw)

    def has(self, sha256: str) -> bool:
        return self._path(sha256).exists()

    def get(self, sha256: str) -> bytes:
        with _named_trouble():
            try:
                return self._path(sha256).read_bytes()
            except FileNotFoundError as error:
                raise _unknown(sha256) from error

    def delete(self, sha256: str) -> None:
        with _named_trouble():
            self._path(sha256).unlink(missing_ok=True)

    def older_than(self, age_s: float, folder: str = "") -> Iterator[str]:
        found = self._root.glob(f"{folder}/*" if folder else "??/*")
        return (f"{folder}/{path.name}".lstrip("/") for path in _old_files(found, age_s))

    def put_file(self, name: str, source: BinaryIO) -> None:
        path = self._path(name)
        with _named_trouble():
            _make_folder(path.parent)
            with atomic_file(path, aside=self._unfinished) as file:
                shutil.copyfileobj(source, file, PIECE_BYTES)

    def copy_to(self, name: str, target: BinaryIO) -> None:
        with _named_trouble():
            try:
                with self._path(name).open("rb") as file:
                    shutil.copyfileobj(file, target, PIECE_BYTES)
            except FileNotFoundError as error:
                raise _unknown(name) from error

    def discard_unfinished(self, age_s: float) -> None:
        for path in _old_files(self._unfinished.iterdir(), age_s):
            path.unlink(missing_ok=True)


class Bucket:
    def __init__(self, filesystem: "FileSystem", root: str) -> None:
        self._filesystem = filesystem
        self._root = root.rstrip("/")

    def _path(self, sha256: str) -> str:
        return f"{self._root}/{sha256}"

    def put(self, sha256: str, raw: bytes) -> None:
        if self.has(sha256):
            return
        with _named_trouble(), self._filesystem.open_output_stream(self._path(sha256)) as stream:
            stream.write(raw)

    def has(self, sha256: str) -> bool:
        with _named_trouble():
            return bool(self._filesystem.get_file_info(self._path(sha256)).is_file)

    def get(self, sha256: str) -> bytes:
        with _named_trouble():
            try:
                with self._filesystem.open_input_stream(self._path(sha256)) as stream:
                    return bytes(stream.read())
            except FileNotFoundError as error:
                raise _unknown(sha256) from error

    def delete(self, sha256: str) -> None:
        if not self.has(sha256):
            return
        with _named_trouble():
            self._filesystem.delete_file(self._path(sha256))

    def older_than(self, age_s: float, folder: str = "") -> Iterator[str]:
        from pyarrow.fs import FileSelector

        oldest_ns, root = (time.time() - age_s) * 1e9, f"{self._root}/{folder}".rstrip("/")
        with _named_trouble():
            files = self._filesystem.get_file_info(FileSelector(root, allow_not_found=True))
        return (
            f"{folder}/{file.base_name}".lstrip("/")
            for file in files
            if file.is_file and file.mtime_ns <= oldest_ns
        )

    def put_file(self, name: str, source: BinaryIO) -> None:
        with _named_trouble(), self._filesystem.open_output_stream(self._path(name)) as stream:
            shutil.copyfileobj(source, stream, PIECE_BYTES)

    def copy_to(self, name: str, target: BinaryIO) -> None:
        with _named_trouble():
            try:
                with self._filesystem.open_input_stream(self._path(name)) as stream:
                    shutil.copyfileobj(stream, target, PIECE_BYTES)
            except FileNotFoundError as error:
                raise _unknown(name) from error

    def discard_unfinished(self, age_s: float) -> None:
        """Nothing to do: the parts of an upload that died are the bucket's lifecycle rule's."""


def _make_folder(folder: Path) -> None:
    if not folder.exists():
        folder.mkdir(exist_ok=True)
        flush_folder(folder.parent)


def _unknown(sha256: str) -> UnknownName:
    return UnknownName(f"there are no bytes of a clip {sha256!r}")


def _old_files(paths: Iterator[Path], age_s: float) -> Iterator[Path]:
    newest = time.time() - age_s
    for path in paths:
        try:
            if path.stat().st_mtime <= newest:
                yield path
        except FileNotFoundError:
            continue  # another process swept it first


@contextmanager
def _named_trouble() -> Iterator[None]:
    # The system's own words name paths and hosts: they go to the log, as the cause.
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull from error
        why = f" ({os.strerror(error.errno)})" if error.errno else ""
        raise NotReady(f"the store of clips does not answer{why}; try again in a moment") from error
