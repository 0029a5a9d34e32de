"""Keys that an earlier Telltale kept in `<home>/keys.json`: taken over into the database, once.

Until that has come about, because the file cannot be read, nobody can say that a key is unknown.
"""

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from data.access_keys import ROLES, Key, Role
from data.errors import NotReady

if TYPE_CHECKING:
    from collections.abc import Mapping

    from data.store.keys import Keys

NAME = "keys.json"
UNREADABLE = (
    "keys.json cannot be read ({why}); an admin restores it, for its keys to be taken over, or "
    "deletes it and makes them anew"
)
DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class KnownKeys:
    """By digest; `trouble` says why there may be others."""

    keys: "Mapping[str, Key]"
    trouble: str = ""


def known_keys(keys: "Keys", root: Path) -> KnownKeys:
    """Those in the database, and of the file in the home `root`. Blocks."""
    trouble = take_over(keys, root)
    return KnownKeys(keys.by_digest(), trouble)


def take_over(keys: "Keys", root: Path) -> str:
    """What is wrong with the file, if something is. It is renamed once its keys are kept."""
    path = root / NAME
    if not path.exists():
        return ""
    with _alone(path):
        try:
            raw = _read(path)
            rows = _parsed(raw)
        except FileNotFoundError:  # another process was faster
            return ""
        except NotReady as error:
            return str(error)
        keys.take_over(rows, hashlib.sha256(raw).hexdigest(), who="telltale")
        with suppress(OSError):  # then it is found again, and known by its digest
            path.rename(path.with_suffix(".json.taken-over"))
    return ""


def trouble_of(root: Path) -> str:
    """What `take_over` would say, for whoever has no database at hand."""
    try:
        _parsed(_read(root / NAME))
    except FileNotFoundError:
        return ""
    except NotReady as error:
        return str(error)
    return ""


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise NotReady(UNREADABLE.format(why=os.strerror(error.errno or 0))) from error


def _parsed(raw: bytes) -> dict[str, tuple[str, Role]]:
    """Name and role by digest."""
    try:
        return {_digest(digest): _row(**row) for digest, row in json.loads(raw).items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise NotReady(UNREADABLE.format(why="it is damaged")) from error


def _digest(text: str) -> str:
    if not DIGEST.fullmatch(text):
        raise ValueError(text)
    return text


def _row(name: str, role: Role) -> tuple[str, Role]:
    if role not in ROLES or not isinstance(name, str):
        raise ValueError(role)
    return name, role


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with open(path.with_suffix(".lock"), "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
