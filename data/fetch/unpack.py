"""A zip or tar archive -> files in a folder, and nothing anywhere else.

Each member is written by us under the folder: names that lead out of it, links and devices are
refused, and so is more than the disk can hold.
"""

import shutil
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from data.errors import DownloadError
from data.progress import progress


@dataclass(frozen=True)
class Member:
    name: str
    size_bytes: int
    is_plain: bool  # a file, and no link or device
    source: IO[bytes] | None


def unpack(archive: Path, folder: Path) -> None:
    """Into an empty `folder`, without the one folder that archives like to put around everything;
    raises DownloadError."""
    folder.mkdir(parents=True)
    room = shutil.disk_usage(folder).free
    with progress("unpacking", None, " files") as advance:
        for member in _members(archive):
            room -= member.size_bytes
            if room < 0:
                raise DownloadError(
                    f"{archive.name} holds more than the disk has room for "
                    f"(stopped at {member.name!r})"
                )
            _write(member, folder, archive.name)
            advance(1)
    _lift(folder)


def _members(archive: Path) -> Iterator[Member]:
    try:
        if zipfile.is_zipfile(archive):
            yield from _of_zip(archive)
        elif tarfile.is_tarfile(archive):
            yield from _of_tar(archive)
        else:
            raise DownloadError(f"{archive.name} is neither a zip nor a tar archive")
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError) as error:
        raise DownloadError(f"{archive.name} cannot be unpacked: {error}") from error


def _of_zip(archive: Path) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as source:
        for info in source.infolist():
            if not info.is_dir():
                kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where a system has no such thing
                with source.open(info) as file:
                    yield Member(info.filename, info.file_size, kind in (0, stat.S_IFREG), file)


def _of_tar(archive: Path) -> Iterator[Member]:
    with tarfile.open(archive) as source:
        for info in source:
            if not info.isdir():
                file = source.extractfile(info) if info.isreg() else None
                yield Member(info.name, info.size, info.isreg(), file)


def _write(member: Member, folder: Path, archive: str) -> None:
    name = PurePosixPath(member.name.replace("\\", "/"))
    if not name.parts or name.is_absolute() or ".." in name.parts or ":" in name.parts[0]:
        raise DownloadError(f"{archive} holds {member.name!r}, which leads out of its folder")
    if not member.is_plain or member.source is None:
        raise DownloadError(f"{archive} holds {member.name!r}, a link or device: not unpacked")
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        shutil.copyfileobj(member.source, file, 1 << 20)


def _lift(folder: Path) -> None:
    inside = list(folder.iterdir())
    if len(inside) == 1 and inside[0].is_dir():
        around = inside[0].rename(folder.with_name(f"{folder.name}.around"))
        folder.rmdir()
        around.rename(folder)
