"""A backup becomes the home again, or another one: `python -m serve_app restore FILE`.

Everything is checked before anything appears: the names of the members, of which only those that a
backup has are taken, their digests, and that each clip of the database has its bytes. It is
written into a folder within the home and then renamed, the database last.
"""

import fcntl
import hashlib
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from data.database.sqlite_files import must_be_sound
from data.errors import Conflict, InvalidParameter, NotReady
from data.home import Home
from data.progress import progress
from data.store.blobs import blob_path
from data.store.store import Store
from serve_app.backups.backup import (
    BLOB,
    BLOBS,
    DATABASE,
    FORMAT,
    KEPT,
    MANIFEST,
    REGISTRY,
    known,
    must_be_kept_here,
)
from serve_app.cluster.supervisor import LOCK

MANIFEST_BYTES = 64 * 1024**2
# SQLite would replay what lies beside a database that is gone into the one that takes its place.
SIDE_FILES = [f"{name}-{end}" for name in (DATABASE, REGISTRY) for end in ("wal", "shm")]
PIECE_BYTES = 1024**2

Manifest = dict[str, Any]


def restore_backup(home: Home, file: Path) -> int:
    """How many clips there are now. Raises Conflict for a home that is in use or has something in
    it, InvalidParameter for a file that is no whole backup; the home is then as it was."""
    must_be_kept_here(home)
    with _unused(home.root), _opened(file) as tar:
        members = {member.name: member for member in tar.getmembers()}
        manifest = _checked(tar, members)
        _must_fit(home.root, members)
        with tempfile.TemporaryDirectory(prefix=".restoring-", dir=home.root) as folder:
            aside = Path(folder)
            _extract(tar, members, manifest["files"], aside)
            clips = _checked_database(aside)
            if (aside / REGISTRY).exists():
                must_be_sound(aside / REGISTRY)
                _move_artifacts(aside / REGISTRY, manifest["home"], str(home.root))
            _appear(aside, home.root)
    return clips


@contextmanager
def _unused(root: Path) -> Iterator[None]:
    with open(root / LOCK, "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"a Telltale runs in {root}; stop it first") from None
        there = [name for name in (*KEPT, *SIDE_FILES) if (root / name).exists()]
        if there:
            raise Conflict(
                f"there is something in {root} already ({', '.join(there)}); move it away, or name "
                "another folder in TELLTALE_HOME"
            )
        yield


@contextmanager
def _opened(file: Path) -> Iterator[tarfile.TarFile]:
    if not file.is_file():
        raise InvalidParameter(f"there is no file {file}")
    try:
        with tarfile.open(file, "r:") as tar:
            yield tar
    except (tarfile.TarError, EOFError) as error:
        raise _damaged(str(error)) from error
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise NotReady(f"{file} could not be restored: {why}") from error


def _damaged(why: str) -> InvalidParameter:
    return InvalidParameter(f"this is no whole backup: {why}; nothing was restored, use another")


def _checked(tar: tarfile.TarFile, members: dict[str, tarfile.TarInfo]) -> Manifest:
    """The manifest, if the members are those it speaks of and their names lead nowhere else."""
    if len(members) != len(tar.getmembers()):
        raise _damaged("a name occurs twice in it")
    found = members.pop(MANIFEST, None)
    content = tar.extractfile(found) if found and found.size < MANIFEST_BYTES else None
    if content is None:
        raise _damaged("it has no manifest.json, so it was cut off or made by something else")
    try:
        manifest: Manifest = json.loads(content.read())
        made_by, files, _ = manifest["format"], dict(manifest["files"]), str(manifest["home"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _damaged("its manifest.json cannot be read") from None
    if made_by != FORMAT:
        raise InvalidParameter(
            f"this backup has the format {made_by!r}, and this Telltale knows {FORMAT}: update it"
        )
    for name, member in members.items():
        if not member.isreg() or member.issparse() or not known(name):
            raise _damaged(f"it has a member {name[:100]!r}, which no backup has")
    if (
        files.keys() != {name for name in members if not BLOB.fullmatch(name)}
        or DATABASE not in files
    ):
        raise _damaged("its members are not those that its manifest.json names")
    return manifest


def _must_fit(root: Path, members: dict[str, tarfile.TarInfo]) -> None:
    needed, free = sum(m.size for m in members.values()), shutil.disk_usage(root).free
    if needed > free:
        raise NotReady(
            f"the backup needs {needed / 1e9:.2f} GB, and the disk of {root} has {free / 1e9:.2f} "
            "GB left"
        )


def _extract(
    tar: tarfile.TarFile,
    members: dict[str, tarfile.TarInfo],
    digests: dict[str, str],
    aside: Path,
) -> None:
    with progress("restored", sum(m.size for m in members.values()), "B") as advance:
        for name, member in members.items():
            blob = BLOB.fullmatch(name)
            content = tar.extractfile(member)
            assert content is not None, name
            path = aside / name
            path.parent.mkdir(parents=True, exist_ok=True)
            digest = hashlib.sha256()
            with path.open("xb") as file:
                while piece := content.read(PIECE_BYTES):
                    file.write(piece)
                    digest.update(piece)
                    advance(len(piece))
            if digest.hexdigest() != (blob[2] if blob else digests[name]):
                raise _damaged(f"{name} is not as it was written")


def _checked_database(aside: Path) -> int:
    """The number of clips; brought up to date, so that a newer Telltale's is refused now."""
    must_be_sound(aside / DATABASE)
    with closing(Store.open(f"sqlite:///{aside / DATABASE}", str(aside / BLOBS))) as store:
        wanted = store.clips.blobs_in_use()
    lost = [sha256 for sha256 in wanted if not (aside / BLOBS / blob_path(sha256)).is_file()]
    if lost:
        raise _damaged(f"the bytes of {len(lost)} clips are missing in it")
    return len(wanted)


def _move_artifacts(registry: Path, old: str, new: str) -> None:
    """MLflow keeps whole paths of its files, in columns of several tables."""
    if old == new:
        return
    with closing(sqlite3.connect(registry)) as connection, connection:
        query = "SELECT name FROM sqlite_master WHERE type = 'table'"
        for (table,) in connection.execute(query).fetchall():
            columns = connection.execute(f'PRAGMA table_info("{table}")').fetchall()
            for _, column, kind, *_ in columns:
                if "CHAR" in kind.upper() or "TEXT" in kind.upper():
                    connection.execute(
                        f'UPDATE "{table}" SET "{column}" = ? || substr("{column}", ?) '
                        f'WHERE substr("{column}", 1, ?) = ?',
                        (f"{new}/artifacts/", len(old) + 12, len(old) + 11, f"{old}/artifacts/"),
                    )


def _appear(aside: Path, root: Path) -> None:
    os.sync()  # one for all of the files
    moved: list[str] = []
    try:
        for name in KEPT:
            if (aside / name).exists():
                (aside / name).rename(root / name)
                moved.append(name)
    except BaseException:
        for name in moved:
            (root / name).rename(aside / name)
        raise
