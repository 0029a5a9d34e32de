"""Where everything lives that is produced at run time: one folder, `TELLTALE_HOME`.

The service and the training jobs read the same environment, each when it starts:

    TELLTALE_HOME           the folder; by default var/ in a checkout, else the user's data folder
    TELLTALE_DATABASE_URL   sqlite:///<home>/telltale.db
    TELLTALE_STORAGE_URI    <home>/blobs
    MLFLOW_TRACKING_URI     sqlite:///<home>/mlflow.db
    TELLTALE_RUNS_URI       <home>/runs, for as long as a training lasts
    TELLTALE_ARTIFACTS_URI  <home>/artifacts; behind an MLflow server what that one says

Clips and keys in it are nobody else's business: the folder is its owner's alone. One that its group
may write to is shared on purpose, by several machines or users, and stays the group's too.
"""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

from data.errors import InvalidParameter
from data.install_paths import own_folder

BUCKETS = ("s3", "gs", "abfs", "hdfs")  # where Arrow, and so Ray Train, can write
ALL_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class Home:
    root: Path
    # The URLs may carry passwords: they stay out of logs.
    database_url: str = field(repr=False)
    storage_uri: str = field(repr=False)
    tracking_uri: str = field(repr=False)
    artifact_root: str | None  # None: an MLflow server decides where its files go
    bundles: Path
    runs: Path
    checkpoints: str = field(repr=False)  # of training: a folder or a bucket's URI

    @property
    def sqlite_files(self) -> list[Path]:
        """Of the database and the model registry, unless they are elsewhere."""
        urls = (self.database_url, self.tracking_uri)
        return [path for path in map(sqlite_file, urls) if path is not None]


def sqlite_file(url: str) -> Path | None:
    found = re.match(r"sqlite(?:\+\w+)?:///([^?]+)", url)
    return Path(found[1]) if found else None


def home_from_env(environ: Mapping[str, str] = os.environ) -> Home:
    """Makes the folder where it is missing; raises InvalidParameter if nobody could write there."""
    return _home(_usable(_root(environ)), environ)


def keep_to_owner(environ: Mapping[str, str] = os.environ) -> None:
    """What this process and its children make is as closed as the home; for entry points."""
    root = _root(environ)
    os.umask(_others(root.stat().st_mode) if root.is_dir() else ALL_OTHERS)


def planned_home(environ: Mapping[str, str] = os.environ) -> Home:
    """The same, but nothing is made or checked: for commands that only look."""
    return _home(_root(environ), environ)


def _root(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("TELLTALE_HOME") or own_folder("var")).expanduser().resolve()


def _home(root: Path, environ: Mapping[str, str]) -> Home:
    tracking_uri = environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root}/mlflow.db"
    runs, checkpoints = _training_places(root, environ.get("TELLTALE_RUNS_URI", ""))
    return Home(
        root=root,
        database_url=environ.get("TELLTALE_DATABASE_URL") or f"sqlite:///{root}/telltale.db",
        storage_uri=environ.get("TELLTALE_STORAGE_URI") or str(root / "blobs"),
        tracking_uri=tracking_uri,
        artifact_root=_artifact_root(root, tracking_uri, environ.get("TELLTALE_ARTIFACTS_URI", "")),
        bundles=root / "bundles",
        runs=runs,
        checkpoints=checkpoints,
    )


def _training_places(root: Path, uri: str) -> tuple[Path, str]:
    """Of decoded clips, which workers read as files, and of checkpoints: in a folder both."""
    parts = urlsplit(uri)
    if parts.scheme in ("", "file"):
        folder = Path(unquote(parts.path)) if uri else root / "runs"
        if folder.is_absolute():
            return folder, str(folder)
    elif parts.scheme in BUCKETS:
        return root / "runs", uri
    raise InvalidParameter(
        "TELLTALE_RUNS_URI must be a folder from / on, file:///folder, s3://bucket/prefix or "
        f"gs://bucket/prefix; got {uri!r}"
    )


def _artifact_root(root: Path, tracking_uri: str, uri: str) -> str | None:
    scheme = urlsplit(uri).scheme
    if uri and not scheme and not Path(uri).is_absolute():
        raise InvalidParameter(
            "TELLTALE_ARTIFACTS_URI must be a folder from / on, file:///folder, s3://bucket/prefix "
            f"or another place that MLflow knows; got {uri!r}"
        )
    if scheme == "s3" and find_spec("boto3") is None:
        raise InvalidParameter(
            "TELLTALE_ARTIFACTS_URI with s3:// needs a package of MLflow's: pip install boto3"
        )
    if uri:
        return uri
    return None if tracking_uri.startswith("http") else str(root / "artifacts")


def _others(mode: int) -> int:
    """The bits of those who have no business in a home of this mode."""
    return stat.S_IRWXO if mode & stat.S_IWGRP else ALL_OTHERS


def _close(root: Path) -> None:
    found = root.stat()
    shared_by_all = found.st_mode & stat.S_ISVTX  # as /tmp is
    if found.st_uid == os.geteuid() and not shared_by_all:
        mode = stat.S_IMODE(found.st_mode)
        root.chmod(mode & ~_others(mode))


def _usable(root: Path) -> Path:
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InvalidParameter(
            f"TELLTALE_HOME must be a folder; {root} is a file, or lies under one"
        ) from None
    except OSError as error:
        raise InvalidParameter(
            f"TELLTALE_HOME ({root}) cannot be made: {os.strerror(error.errno or 0)}; "
            "name a folder that this user may write to"
        ) from error
    if not os.access(root, os.W_OK | os.X_OK):
        raise InvalidParameter(
            f"TELLTALE_HOME ({root}) cannot be written to by this user; "
            "change its owner, or name another folder"
        )
    _close(root)
    return root
