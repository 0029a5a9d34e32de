"""All that a home keeps in one file, made while it serves: `python -m serve_app backup FILE`.

SQLite copies the database as it is at one moment, and then the bytes that its rows name are
added: bytes are stored before their row. Clips that somebody had forgotten in between are missing
then, so the database is copied once more. Recordings that come in parts or wait to be analysed are
left out: they are large, and not for long. `manifest.json` comes last, with the digests of the
rest; a blob's name is its digest. The file is a plain tar, since sound and pictures hardly shrink.
"""

import hashlib
import io
import json
import os
import re
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO

from data.atomic import atomic_file
from data.database.sqlite_files import copied
from data.errors import Conflict, InvalidParameter, NotReady, UndecodableClip, UnknownName
from data.home import Home
from data.progress import progress
from data.store.blobs import blob_path
from data.store.store import Store

FORMAT = 1
MANIFEST = "manifest.json"
DATABASE, REGISTRY = "telltale.db", "mlflow.db"
SMALL = ("keys.json", "admin-key")  # the first where its keys wait to be taken over
ARTIFACTS = "artifacts"
FOLDERS = ("champions", ARTIFACTS)
BLOBS = "blobs"
KEPT = (BLOBS, *FOLDERS, *SMALL, REGISTRY, DATABASE)
FILE = re.compile(r"telltale\.db|mlflow\.db|keys\.json|admin-key|champions/[\w-]+\.json")
BLOB = re.compile(r"blobs/([0-9a-f]{2})/(\1[0-9a-f]{62})")
ROUNDS = 3  # of copying the database until no clip is forgotten meanwhile


class Archive:
    """Members of a tar file, each with the digest of what was written."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self.digests: dict[str, str] = {}

    def add(self, name: str, raw: bytes) -> None:
        self._add(name, io.BytesIO(raw), len(raw))

    def add_file(self, name: str, path: Path) -> None:
        with path.open("rb") as file:
            self._add(name, file, os.fstat(file.fileno()).st_size)

    def _add(self, name: str, file: BinaryIO, size: int) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = size, 0o600
        read = Digesting(file)
        self._tar.addfile(member, read)  # type: ignore[arg-type]  # asks for `read` alone
        self.digests[name] = read.digest.hexdigest()


class Digesting:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        piece = self._file.read(size)
        self.digest.update(piece)
        return piece


def write_backup(home: Home, file: Path) -> list[str]:
    """The clips whose bytes the store itself has not got, which are left out. The file is there
    whole, for its owner alone, or not at all; raises Conflict where there is one already."""
    must_be_kept_here(home)
    if not (home.root / DATABASE).exists():
        raise NotReady(f"nothing is kept in {home.root} yet; TELLTALE_HOME names another folder")
    if file.exists():
        raise Conflict(f"there is a file {file} already; name another one")
    with _appearing(file) as (aside, tar):
        archive = Archive(tar)
        lost = _add_clips(home, archive, aside / DATABASE)
        archive.add_file(DATABASE, aside / DATABASE)
        if (home.root / REGISTRY).exists():
            copied(home.root / REGISTRY, aside / REGISTRY)
            archive.add_file(REGISTRY, aside / REGISTRY)
        _add_files(home.root, archive)
        archive.add(MANIFEST, json.dumps(_manifest(home, archive.digests), indent=1).encode())
    return lost


def known(name: str) -> bool:
    """Whether a backup may have a member of this name: none that leads elsewhere."""
    folder, *parts = name.split("/")
    below = bool(parts) and not any(part in ("", ".", "..") for part in parts)
    matched = FILE.fullmatch(name) or BLOB.fullmatch(name)
    return matched is not None or (folder == ARTIFACTS and below)


def must_be_kept_here(home: Home) -> None:
    """Raises InvalidParameter where a store lies elsewhere, which a backup would miss."""
    places = {
        "TELLTALE_DATABASE_URL": (home.database_url, f"sqlite:///{home.root}/{DATABASE}"),
        "TELLTALE_STORAGE_URI": (home.storage_uri, str(home.root / BLOBS)),
        "MLFLOW_TRACKING_URI": (home.tracking_uri, f"sqlite:///{home.root}/{REGISTRY}"),
        "TELLTALE_ARTIFACTS_URI": (home.artifact_root, str(home.root / ARTIFACTS)),
    }
    elsewhere = [name for name, (found, here) in places.items() if found not in (here, None)]
    if elsewhere:
        raise InvalidParameter(
            f"{' and '.join(elsewhere)} name a store that is not in TELLTALE_HOME, and backup and "
            "restore know only what is; use its own tools (pg_dump, the bucket's versions), and "
            "copy admin-key besides"
        )


@contextmanager
def _appearing(file: Path) -> Iterator[tuple[Path, tarfile.TarFile]]:
    """A folder beside `file` to copy to, and the tar file that becomes `file` behind the block."""
    try:
        with (
            tempfile.TemporaryDirectory(prefix=".backup-", dir=file.resolve().parent) as folder,
            atomic_file(file, mode=0o600, aside=Path(folder)) as raw,
            tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            yield Path(folder), tar
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise NotReady(f"the backup {file} could not be written: {why}") from error


def _add_clips(home: Home, archive: Archive, database: Path) -> list[str]:
    added: set[str] = set()
    for _ in range(ROUNDS):
        database.unlink(missing_ok=True)
        copied(home.root / DATABASE, database)
        with closing(Store.open(f"sqlite:///{database}", home.storage_uri)) as store:
            wanted = store.clips.blobs_in_use()
            with progress("clips", len(wanted - added)) as advance:
                for sha256 in sorted(wanted - added):
                    added |= {sha256} if _add_clip(store, archive, sha256) else set()
                    advance(1)
        if wanted <= added:
            break
    # In a backup, too, no row stands without its bytes.
    with closing(Store.open(f"sqlite:///{database}", f"{database.parent}/none")) as store:
        store.jobs.leave_out_recordings()
        store.clips.forget_lost(wanted - added, who="backup")
    with closing(Store.open(home.database_url, home.storage_uri)) as store:
        return sorted(store.clips.blobs_in_use() & (wanted - added))  # the others were forgotten


def _add_clip(store: Store, archive: Archive, sha256: str) -> bool:
    try:
        archive.add(f"{BLOBS}/{blob_path(sha256)}", store.clips.read(sha256))
    except (UnknownName, UndecodableClip):
        return False
    return True


def _add_files(root: Path, archive: Archive) -> None:
    for name in SMALL:
        if (root / name).is_file():
            archive.add_file(name, root / name)
    found = [path for folder in FOLDERS for path in sorted((root / folder).rglob("*"))]
    with progress("model files", len(found), " files") as advance:
        for path in found:
            name = path.relative_to(root).as_posix()
            if known(name) and path.is_file() and not path.is_symlink():
                with suppress(FileNotFoundError):  # deleted by a run that has just ended
                    archive.add_file(name, path)
            advance(1)


def _manifest(home: Home, digests: dict[str, str]) -> dict[str, object]:
    return {
        "format": FORMAT,
        "telltale": version("telltale"),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "home": str(home.root),  # where the registry believes its files to be
        "files": {name: it for name, it in digests.items() if not name.startswith(f"{BLOBS}/")},
    }
