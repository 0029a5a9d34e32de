"""What the service answers of those who ask it: keys, and what was done with them."""

from .answers import Answer, Limits, Moment


class KeyInfo(Answer):
    """Somebody's key, which itself is not kept; `expired` ones are refused."""

    name: str
    role: str
    who: str = ""  # made it, or its newest secret
    created: Moment
    expires: Moment | None = None
    expired: bool = False


class KeyList(Answer):
    keys: tuple[KeyInfo, ...]


class ShownKey(KeyInfo):
    """With the secret, which is shown this once: send it as 'Authorization: Bearer <key>'."""

    key: str


class Me(Answer):
    """Whom a key belongs to, until when, the limits of one clip here, and how many requests with
    clips a minute are answered: of this key, or without one of the caller's address; null where
    that has no quota."""

    name: str
    role: str
    expires: Moment | None = None
    limits: Limits
    requests_per_minute: int | None = None
