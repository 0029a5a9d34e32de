"""Who is calling: bearer keys, the roles behind them, and what a role may do.

viewer (predict) < contributor (upload, corrections that count) < admin (everything else).
Whoever brings no key is anonymous: may predict, and may correct, but the correction waits
in quarantine. Only digests of keys are kept; a lookup by digest leaks no timing about a key.
"""

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from data.atomic import atomic_file
from data.errors import Conflict, Forbidden, InvalidParameter, NotReady, Unauthorized
from serve_app.settings import new_key

ROLES = ("anonymous", "viewer", "contributor", "admin")
UNREADABLE = (
    "keys.json cannot be read ({why}); an admin restores it, or deletes it and makes the keys anew"
)


@dataclass(frozen=True)
class Caller:
    name: str
    role: str

    def may(self, role: str) -> bool:
        return ROLES.index(self.role) >= ROLES.index(role)

    def require(self, role: str) -> None:
        if self.may(role):
            return
        if self.role == "anonymous":
            raise Unauthorized(
                f"this needs a key with the role {role}: send it as 'Authorization: Bearer <key>'"
            )
        raise Forbidden(f"this needs the role {role}; the key of {self.name!r} has {self.role}")


ANONYMOUS = Caller("anonymous", "anonymous")


class Keyring:
    """The admin key plus the keys in `<home>/keys.json`, read again when that file changes. Where
    it cannot be read, `trouble` says why, and the keys that were read before still count."""

    def __init__(self, admin_key: str, path: Path) -> None:
        self._admin = {_digest(admin_key): Caller("admin", "admin")}
        self._path = path
        self._seen: tuple[int, ...] = (-1,)
        self._callers = dict(self._admin)
        self.trouble = ""

    def caller(self, authorization: str | None) -> Caller:
        """Raises Unauthorized for a header that is no bearer key, or a key nobody knows; NotReady
        for one that may be in a file that cannot be read."""
        if not authorization:
            return ANONYMOUS
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise Unauthorized("the Authorization header must read 'Bearer <key>'")
        self.refresh()
        caller = self._callers.get(_digest(key.strip()))
        if caller is None and self.trouble:
            raise NotReady(self.trouble)
        if caller is None:
            raise Unauthorized("this key is not known here; ask an admin for one")
        return caller

    def refresh(self) -> None:
        changed = _changed(self._path)
        if changed == self._seen:
            return
        try:
            self._callers = _read(self._path) | self._admin
        except NotReady as error:
            self.trouble = str(error)
            if isinstance(error.__cause__, OSError):
                return  # it may be read another time, and look the same
        else:
            self.trouble = ""
        self._seen = changed


def add_key(path: Path, name: str, role: str) -> str:
    """Makes a key for `name`, keeps its digest, and returns it: the only time it is shown.
    Raises NotReady, and writes nothing, where the other keys cannot be read."""
    if role not in ROLES[1:]:
        raise InvalidParameter(f"there is no role {role!r}; the roles are {', '.join(ROLES[1:])}")
    if not re.fullmatch(r"[\w.@-]{1,60}", name):
        raise InvalidParameter("a key's name has 1 to 60 letters, digits, '.', '_', '-' or '@'")
    path.parent.mkdir(parents=True, exist_ok=True)
    with _only_writer(path):
        callers = _read(path)
        if any(caller.name == name for caller in callers.values()):
            raise Conflict(f"there is a key for {name!r} already; choose another name")
        key = new_key()
        _write(path, callers | {_digest(key): Caller(name, role)})
    return key


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _changed(path: Path) -> tuple[int, ...]:
    try:
        seen = path.stat()
    except OSError:  # `_read` says what is wrong
        return ()
    return seen.st_mtime_ns, seen.st_ctime_ns, seen.st_size, seen.st_ino


def _read(path: Path) -> dict[str, Caller]:
    """Raises NotReady for what is no list of keys."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return {digest: _row(**row) for digest, row in rows.items()}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise NotReady(UNREADABLE.format(why=os.strerror(error.errno or 0))) from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise NotReady(UNREADABLE.format(why="it is damaged")) from error


def _row(name: str, role: str) -> Caller:
    if role not in ROLES[1:]:
        raise ValueError(role)
    return Caller(name, role)


@contextmanager
def _only_writer(path: Path) -> Iterator[None]:
    with open(path.with_suffix(".lock"), "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(path: Path, callers: dict[str, Caller]) -> None:
    rows = {digest: {"name": c.name, "role": c.role} for digest, c in callers.items()}
    with atomic_file(path, mode=0o600) as file:
        file.write(json.dumps(rows, indent=1).encode())
