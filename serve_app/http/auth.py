"""Who is calling: bearer keys, the roles behind them, and what a role may do.

viewer (predict) < contributor (upload, corrections that count) < admin (everything else).
Whoever brings no key is anonymous: may predict, and may correct, but the correction waits
in quarantine.
"""

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from data import access_keys
from data.access_keys import digest_of
from data.errors import Forbidden, NotReady, Unauthorized
from serve_app.http.threads import BoundedThreadPool
from serve_app.key_file import KnownKeys
from serve_app.statuses import in_words

ROLES = ("anonymous", *access_keys.ROLES)
FRESH_S = 1.0  # what was read so lately is not read again for a key that is known
LIFE_S = 3.0  # older than this it is not relied upon: by then a revoked key is refused
PAUSE_S = 0.2  # between two reads, whoever brings keys that nobody knows
PATIENCE_S = 3.0  # with a database that hangs; what was known before counts then
SLOW = "the keys cannot be read at present; try again in a moment"


@dataclass(frozen=True)
class Caller:
    name: str
    role: str
    expires_at: datetime | None = None

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
ADMIN = Caller("admin", "admin")


class Keyring:
    """The admin key, and the keys that `read` finds, which blocks and is asked in a thread: by
    `look`, before a request is answered, so that `caller` needs no more than memory. While they
    cannot be read, `trouble` says why, and those that were read before still count. Not safe
    between threads: everything happens on the event loop."""

    def __init__(self, admin_key: str, read: Callable[[], KnownKeys]) -> None:
        self._admin = digest_of(admin_key)
        self._read = read
        self._thread = BoundedThreadPool("the keys", threads=1)
        self._found = KnownKeys({})
        self._since = -math.inf  # when the last read began that has ended
        self._begun = self._ordered = -math.inf  # when the newest read did, or was to
        self._changed = -math.inf  # when somebody changed them in this process
        self._reading: asyncio.Task[None] | None = None

    @property
    def trouble(self) -> str:
        return self._found.trouble

    async def look(self, authorization: str | None) -> None:
        """What `caller` will be asked for this header is known behind it, as far as it can be."""
        key = _key_in(authorization)
        if not key or (digest := digest_of(key)) == self._admin:
            return
        now = time.monotonic()
        needed = max(now - LIFE_S, self._changed) if digest in self._found.keys else now
        if self._since < needed:
            await self._read_since(needed)
        elif now - self._since > FRESH_S:
            self._next_read()

    def caller(self, authorization: str | None) -> Caller:
        """Raises Unauthorized for a header that is no bearer key, or a key nobody knows; NotReady
        for one that may be among those that cannot be read."""
        if not authorization:
            return ANONYMOUS
        key = _key_in(authorization)
        if not key:
            raise Unauthorized("the Authorization header must read 'Bearer <key>'")
        digest = digest_of(key)
        if digest == self._admin:
            return ADMIN
        found = self._found.keys.get(digest)
        if found is None and self.trouble:
            raise NotReady(self.trouble)
        if found is None:
            raise Unauthorized("this key is not known here; ask an admin for one")
        if found.has_expired:
            raise Unauthorized(f"the key of {found.name!r} has expired; ask an admin for more time")
        return Caller(found.name, found.role, found.expires_at)

    def changed(self) -> None:
        """They are read anew before anybody is let in by them."""
        self._changed = time.monotonic()

    async def _read_since(self, moment: float) -> None:
        """Until a read that began at `moment` or later has ended, or one takes too long."""
        waits_s = time.monotonic() - self._ordered if self._is_reading else 0.0
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S if waits_s <= PATIENCE_S else 0):
                while self._since < moment:
                    await asyncio.shield(self._next_read())
                return
        self._found = KnownKeys(self._found.keys, SLOW)

    def _next_read(self) -> asyncio.Task[None]:
        """The one that is under way, or a new one: there are never two."""
        if self._reading is None or self._reading.done():
            self._ordered = time.monotonic()
            self._reading = asyncio.create_task(self._renew())
        return self._reading

    @property
    def _is_reading(self) -> bool:
        return self._reading is not None and not self._reading.done()

    async def _renew(self) -> None:
        await asyncio.sleep(self._begun + PAUSE_S - time.monotonic())
        self._begun = time.monotonic()
        try:
            self._found = await self._thread(self._read)
        except Exception as error:  # whatever keeps it from being read
            self._found = KnownKeys(self._found.keys, in_words(error))
        self._since = self._begun


def _key_in(authorization: str | None) -> str:
    """Nothing where there is none. What it reads as one key, HAProxy must count as one."""
    scheme, _, key = (authorization or "").partition(" ")
    return key.strip(" ") if scheme.lower() == "bearer" else ""
