"""A public data set -> a folder to train on: downloaded, checked, unpacked, listed.

The folder appears whole: it is made aside and renamed at the end. Its `receipt.json` says what
came from where, when, and on what terms.
"""

import json
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from data.atomic import staging
from data.datasets.manifests import write_manifest
from data.errors import Conflict, DownloadError
from data.fetch.catalogue import Published
from data.fetch.download import Downloaded, download
from data.fetch.unpack import unpack

RECEIPT = "receipt.json"
ASIDE = ".fetch"  # in the root of data sets: what is still on its way


def fetch(name: str, source: Published, url: str, root: Path) -> tuple[Path, bool]:
    """The folder `root/name`, and whether it was made now; raises Conflict or DownloadError."""
    folder = root / name
    if (folder / RECEIPT).is_file():
        return folder, False
    if folder.exists():
        raise Conflict(f"{folder} is there already, and was not fetched; name another by --as")
    archive = root / ASIDE / (Path(urlsplit(url).path).name or name)
    try:
        got = download(url, archive, source.checksum)
        with staging(folder) as part:
            _unpack(archive, part / name, source.inside)
            source.prepare(part / name)
            _list(part / name, source)
            _write_receipt(part / name, source, url, got)
            (part / name).rename(folder)
        archive.unlink()
        with suppress(OSError):  # another download may be there
            archive.parent.rmdir()
    except OSError as error:
        raise DownloadError(f"{root} cannot be written to: {error.strerror or error}") from error
    return folder, True


def _unpack(archive: Path, folder: Path, inside: str) -> None:
    """Of the archive the folder `inside` alone, where there is one; else all of it."""
    try:
        unpack(archive, folder)
    except DownloadError:
        archive.unlink()  # the same bytes would fail the same way again
        raise
    if inside and (folder / inside).is_dir():
        around = folder.rename(folder.with_name(f"{folder.name}.around"))
        (around / inside).rename(folder)
        shutil.rmtree(around)


def _list(folder: Path, source: Published) -> None:
    """A data set that has changed its layout is kept, without a list."""
    if source.rows is not None:
        with suppress(OSError, KeyError, ValueError):
            if rows := source.rows(folder):
                write_manifest(folder, rows)


def _write_receipt(folder: Path, source: Published, url: str, got: Downloaded) -> None:
    receipt = {
        "title": source.title,
        "url": url,
        "home": source.home,
        "licence": source.licence,
        "bytes": got.size_bytes,
        "sha256": got.sha256,
        "published_checksum": str(source.checksum or "not published"),
        "fetched_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    (folder / RECEIPT).write_text(json.dumps(receipt, indent=2) + "\n", encoding="utf-8")
