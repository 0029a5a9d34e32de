"""Files and folders that are whole or absent: written aside, flushed to the disk, then renamed.

A reader never sees one half-written, nor does the next start after a crash or a full disk.
"""

import errno
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

ABANDONED_S = 3600  # a writer's folder this old belongs to nobody any more


@contextmanager
def atomic_file(path: Path, mode: int = 0o666, aside: Path | None = None) -> Iterator[BinaryIO]:
    """What is written in the block becomes `path` behind it, in place of what was there; if the
    block fails, nothing has changed. `mode` is as for `os.open`. `aside` is the folder to write
    in, on the same disk; without it that of `path`."""
    part = (aside or path.parent) / f".{path.name}.{secrets.token_hex(8)}"
    try:
        with open(part, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)  # on a full disk it takes what others need
        raise
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """The names in it are on the disk, too: without that a power cut may take a file whose bytes
    are there."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # of a file system that flushes no folders
            raise
    finally:
        os.close(handle)


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` to write in, gone afterwards unless it was renamed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(".writing-*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > ABANDONED_S:
                shutil.rmtree(left, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder.parent))
    temporary.chmod(0o755)  # mkdtemp's own 0700 would shut out a server of another user
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def replace_folder(new: Path, folder: Path) -> None:
    """A folder cannot be renamed onto a filled one: the old one steps aside first."""
    aside = new.with_name(f"{new.name}-old")
    with suppress(FileNotFoundError):
        folder.rename(aside)
    new.rename(folder)
    shutil.rmtree(aside, ignore_errors=True)
