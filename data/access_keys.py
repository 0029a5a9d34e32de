"""Bearer keys as values: whose one is, what it may, until when. Where they are kept needs SQL, and
is `data/store/keys.py`; who only asks a replica for predictions does without.

Only digests of keys are kept, and a lookup by digest leaks no timing about a key. Keys are random,
24 bytes of them, so a plain hash is enough: nobody guesses one.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

Role = Literal["viewer", "contributor", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
LONGEST_DAYS = 3650


@dataclass(frozen=True)
class Key:
    name: str
    role: Role
    who: str  # made it
    created_at: datetime
    expires_at: datetime | None = None

    @property
    def has_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= datetime.now(UTC)


def new_key() -> str:
    """A secret that says whose it is, and that no command line takes for an option."""
    return f"tt_{secrets.token_urlsafe(24)}"


def digest_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
