"""Who may do what: the keys that all machines of a service share, each as a digest.

A name has one key. Who changes one holds the database's write lock, so two changes at once happen
one after the other; each leaves an event. A key that is revoked is gone, an expired one stays to be
listed, rotated or given more time.
"""

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from itertools import chain, count
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from data.access_keys import ROLES, Key, Role, digest_of, new_key
from data.database.database import Database
from data.database.schema import Detail, access_keys, events, fields_of, now
from data.errors import Conflict, InvalidParameter, UnknownName
from data.store.events import record

NAME = re.compile(r"[\w.@-]{1,60}")
TAKEN_NAMES = ("anonymous", "admin")  # what callers without one of these keys are called
TAKEN_OVER = "keys.taken_over"
KEY = select(*fields_of(access_keys, Key))


class NewKey(NamedTuple):
    key: Key
    secret: str  # the only time it is seen


class Keys:
    def __init__(self, database: Database) -> None:
        self._database = database

    def by_digest(self) -> dict[str, Key]:
        """All of them, also those that have expired."""
        query = select(access_keys.c.digest, *fields_of(access_keys, Key))
        with self._database.read() as connection:
            return {digest: Key(*row) for digest, *row in connection.execute(query)}

    def find(self) -> list[Key]:
        """By name."""
        with self._database.read() as connection:
            rows = connection.execute(KEY.order_by(access_keys.c.name)).mappings()
            return [Key(**row) for row in rows]

    def add(self, name: str, role: Role, *, who: str, expires_at: datetime | None = None) -> NewKey:
        """Raises Conflict where the name has a key, InvalidParameter for no name or role."""
        _must_be_usable(name, role)
        key, secret = Key(name, role, who, now(), expires_at), new_key()
        with self._database.write() as connection:
            if _find(connection, name) is not None:
                raise Conflict(f"there is a key for {name!r} already; choose another name")
            connection.execute(insert(access_keys).values(digest=digest_of(secret), **vars(key)))
            _record(connection, "key.added", key, who, {"role": role})
        return NewKey(key, secret)

    def rotate(self, name: str, *, who: str) -> NewKey:
        """Another secret for the same name and role, until the same moment; the old one ends.
        Raises Conflict where that moment has passed."""
        secret = new_key()
        with self._database.write() as connection:
            key = _known(connection, name)
            if key.has_expired:
                raise Conflict(f"the key of {name!r} has expired; give it more time first")
            _change(connection, name, digest=digest_of(secret), created_at=now(), who=who)
            _record(connection, "key.rotated", key, who, {})
            return NewKey(_known(connection, name), secret)

    def expire(self, name: str, expires_at: datetime | None, *, who: str) -> Key:
        """Until when it counts, None for as long as nobody revokes it."""
        with self._database.write() as connection:
            before = _known(connection, name)
            _change(connection, name, expires_at=expires_at)
            moments = {"expires": expires_at, "before": before.expires_at}
            told: Detail = {word: at and at.isoformat() for word, at in moments.items()}
            _record(connection, "key.expiry_set", before, who, told)
            return _known(connection, name)

    def revoke(self, name: str, *, who: str) -> Key:
        with self._database.write() as connection:
            key = _known(connection, name)
            connection.execute(delete(access_keys).where(access_keys.c.name == name))
            _record(connection, "key.revoked", key, who, {"role": key.role})
            return key

    def take_over(self, rows: Mapping[str, tuple[str, Role]], source: str, *, who: str) -> None:
        """Name and role by digest, of a list of keys that was kept elsewhere, once for each
        `source`: whoever was revoked since does not come back with it."""
        subject = f"keys:{source}"
        before = select(events.c.id).filter_by(kind=TAKEN_OVER, subject=subject)
        with self._database.write() as connection:
            if connection.execute(before).first() is not None:
                return
            known = dict(connection.execute(select(access_keys.c.digest, access_keys.c.name)).all())
            standing = set(known.values())
            for digest, (name, role) in rows.items():
                if digest in known:
                    continue
                key = Key(_free(name, standing), role, who, now())
                standing.add(key.name)
                connection.execute(insert(access_keys).values(digest=digest, **vars(key)))
            names: Detail = {"names": [name for name, _ in rows.values()]}
            record(connection, TAKEN_OVER, subject=subject, who=who, domain=None, detail=names)


def _free(name: str, standing: Collection[str]) -> str:
    """A list that was written by hand may name two keys alike; both go on working."""
    numbered = (f"{name}.{number}" for number in count(2))
    return next(each for each in chain([name], numbered) if each not in standing)


def _must_be_usable(name: str, role: str) -> None:
    if role not in ROLES:
        raise InvalidParameter(f"there is no role {role!r}; the roles are {', '.join(ROLES)}")
    if not NAME.fullmatch(name):
        raise InvalidParameter("a key's name has 1 to 60 letters, digits, '.', '_', '-' or '@'")
    if name in TAKEN_NAMES:
        raise InvalidParameter(f"{name!r} is what others are called here; choose another name")


def _find(connection: Connection, name: str) -> Key | None:
    row = connection.execute(KEY.where(access_keys.c.name == name)).mappings().one_or_none()
    return None if row is None else Key(**row)


def _known(connection: Connection, name: str) -> Key:
    key = _find(connection, name)
    if key is None:
        raise UnknownName(f"there is no key for {name!r}")
    return key


def _change(connection: Connection, name: str, **values: object) -> None:
    connection.execute(update(access_keys).where(access_keys.c.name == name).values(**values))


def _record(connection: Connection, kind: str, key: Key, who: str, detail: Detail) -> None:
    record(connection, kind, subject=f"key:{key.name}", who=who, domain=None, detail=detail)
