"""Decoded clips for workers on machines that share no folder with the driver: by the bucket in
which the checkpoints are. They lie there for as long as those, see `job/lifecycle.py`.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

import psutil

from data.home import Home

COPIES = "telltale-clips-"


def share(decoded: Path, home: Home) -> str:
    """The bucket where workers find them, "" where checkpoints are in a folder, which all share."""
    if home.checkpoints == str(home.runs):
        return ""
    from pyarrow.fs import FileSystem, LocalFileSystem, copy_files

    bucket, root = FileSystem.from_uri(home.checkpoints)
    there = f"{root}/{decoded.name}"
    bucket.create_dir(there)  # where it is a bucket of folders
    copy_files(str(decoded), there, LocalFileSystem(), bucket)
    return home.checkpoints


@contextmanager
def at_hand(decoded: Path, shared_by: str) -> Iterator[Path]:
    """The folder itself, or, where this machine has none, a copy that is gone afterwards."""
    if decoded.is_dir() or not shared_by:
        yield decoded
        return
    from pyarrow.fs import FileSystem, LocalFileSystem, copy_files

    _remove_those_of_the_dead()
    bucket, root = FileSystem.from_uri(shared_by)
    with TemporaryDirectory(prefix=f"{COPIES}{os.getpid()}-") as folder:
        copy_files(f"{root}/{decoded.name}", folder, bucket, LocalFileSystem())
        yield Path(folder)


def _remove_those_of_the_dead() -> None:
    """Ray Train kills a worker whose neighbour has died, and nobody must look for what it had."""
    for folder in Path(gettempdir()).glob(f"{COPIES}*-*"):
        pid = folder.name.removeprefix(COPIES).partition("-")[0]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)
