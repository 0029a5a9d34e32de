"""How much room is left where a home keeps things, and how much of it is for callers with a key."""

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from data.home import Home, sqlite_file
from data.store.blobs import local_folder

RESERVE_BYTES, RESERVE_SHARE = 1024**3, 0.05  # whichever is less


@dataclass(frozen=True)
class Disk:
    total_bytes: int
    free_bytes: int

    @property
    def reserve_bytes(self) -> int:
        return min(RESERVE_BYTES, int(RESERVE_SHARE * self.total_bytes))

    @property
    def spare_bytes(self) -> int:
        """What callers without a key may fill; negative where the disk is nearly full."""
        return self.free_bytes - self.reserve_bytes


def local_folders(database_url: str, storage_uri: str) -> list[Path]:
    """Those of the two stores that lie on this machine."""
    database = sqlite_file(database_url)
    found = (database and database.parent, local_folder(storage_uri))
    return [folder for folder in found if folder is not None]


def fullest(folders: Iterable[Path]) -> Disk | None:
    """The disk with the least to spare; None where nothing is kept on this machine."""
    found = [shutil.disk_usage(folder) for folder in folders if folder.is_dir()]
    disks = [Disk(total_bytes=usage.total, free_bytes=usage.free) for usage in found]
    return min(disks, key=lambda disk: disk.spare_bytes, default=None)


def home_disk(home: Home) -> Disk | None:
    """The disk of the home, or of its stores where that has less to spare."""
    return fullest([home.root, *local_folders(home.database_url, home.storage_uri)])


def disk_trouble(home: Home) -> str:
    """A sentence for whoever runs the service, or nothing."""
    try:
        disk = home_disk(home)
    except OSError as error:
        return f"TELLTALE_HOME does not answer ({os.strerror(error.errno or 0)})"
    if disk is None or disk.spare_bytes >= 0:
        return ""
    return (
        f"the disk is nearly full ({disk.free_bytes / 1e9:.2f} GB left): corrections without a key "
        f"are refused below {disk.reserve_bytes / 1e9:.2f} GB"
    )
