"""Keys and roles: who may do what, and how soon what an admin changes is in force."""

import asyncio
import threading
import time
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from data.access_keys import Key, digest_of
from data.errors import Forbidden, NotReady, Unauthorized
from serve_app.http import auth
from serve_app.http.auth import Caller, Keyring
from serve_app.key_file import KnownKeys

ADMIN_KEY = "an admin key of this test"
NOW = datetime.now(UTC)


LONG_S = 1000.0


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine makes nobody impatient here."""
    monkeypatch.setattr(auth, "PATIENCE_S", 30.0)


class Kept:
    """A table of keys that counts how often it is read, which can be made to hang."""

    def __init__(self, *names: str) -> None:
        self.keys = {digest_of(name): Key(name, "contributor", "root", NOW) for name in names}
        self.reads = 0
        self.trouble = ""
        self.answers = threading.Event()
        self.answers.set()
        self.error: Exception | None = None

    def __call__(self) -> KnownKeys:
        self.reads += 1
        found = dict(self.keys)
        self.answers.wait(60)
        if self.error:
            raise self.error
        return KnownKeys(found, self.trouble)


async def asked(keyring: Keyring, key: str) -> Caller:
    await keyring.look(f"Bearer {key}")
    return keyring.caller(f"Bearer {key}")


def run(steps: Coroutine[Any, Any, None]) -> None:
    asyncio.run(steps)


@pytest.fixture
def kept() -> Kept:
    return Kept("ann")


@pytest.fixture
def keyring(kept: Kept) -> Keyring:
    return Keyring(ADMIN_KEY, kept)


def test_no_key_is_anonymous_and_may_not_upload(keyring: Keyring) -> None:
    caller = keyring.caller(None)
    assert caller.role == "anonymous"
    with pytest.raises(Unauthorized, match="contributor"):
        caller.require("contributor")


def test_the_admin_key_may_do_everything_and_needs_no_database(
    keyring: Keyring, kept: Kept
) -> None:
    async def steps() -> None:
        caller = await asked(keyring, ADMIN_KEY)
        for role in ("viewer", "contributor", "admin"):
            caller.require(role)

    run(steps())
    assert kept.reads == 0


@pytest.mark.parametrize("header", ["Bearer wrong", "Basic abc", "Bearer ", "Bearer"])
def test_a_wrong_key_is_refused_even_where_none_is_needed(keyring: Keyring, header: str) -> None:
    async def steps() -> None:
        await keyring.look(header)
        with pytest.raises(Unauthorized):
            keyring.caller(header)

    run(steps())


def test_a_key_has_its_name_and_its_role(keyring: Keyring) -> None:
    async def steps() -> None:
        caller = await asked(keyring, "ann")
        assert (caller.name, caller.role) == ("ann", "contributor")
        with pytest.raises(Forbidden, match="ann"):
            caller.require("admin")

    run(steps())


def test_a_known_key_is_not_looked_up_for_each_request(
    keyring: Keyring, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "FRESH_S", LONG_S)
    monkeypatch.setattr(auth, "LIFE_S", LONG_S)

    async def steps() -> None:
        for _ in range(100):
            await asked(keyring, "ann")

    run(steps())
    assert kept.reads == 1


def test_a_key_that_was_just_made_elsewhere_works_at_once(keyring: Keyring, kept: Kept) -> None:
    async def steps() -> None:
        await asked(keyring, "ann")
        kept.keys |= Kept("bob").keys
        assert (await asked(keyring, "bob")).name == "bob"

    run(steps())


def test_many_who_bring_unknown_keys_do_not_flood_the_database(
    keyring: Keyring, kept: Kept
) -> None:
    async def stranger(number: int) -> None:
        with pytest.raises(Unauthorized):
            await asked(keyring, f"a guess {number}")

    async def steps() -> None:
        for _ in range(2):
            await asyncio.gather(*(stranger(number) for number in range(50)))

    run(steps())
    assert kept.reads <= 4


def test_a_key_that_is_revoked_elsewhere_is_refused_within_its_life(
    keyring: Keyring, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "FRESH_S", 0.1)
    monkeypatch.setattr(auth, "LIFE_S", 0.3)

    async def steps() -> None:
        await asked(keyring, "ann")
        kept.keys.clear()
        await asyncio.sleep(0.3)
        with pytest.raises(Unauthorized):
            await asked(keyring, "ann")

    run(steps())
    assert auth.LIFE_S < 5


def test_whoever_asks_all_the_time_never_waits_for_a_read(
    keyring: Keyring, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "LIFE_S", LONG_S)

    async def steps() -> None:
        await asked(keyring, "ann")
        monkeypatch.setattr(auth, "FRESH_S", 0.0)
        kept.answers.clear()
        for _ in range(3):
            await asyncio.sleep(0.1)
            await asyncio.wait_for(asked(keyring, "ann"), 20)
        kept.answers.set()

    run(steps())


def test_what_is_changed_here_is_in_force_at_once(keyring: Keyring, kept: Kept) -> None:
    async def steps() -> None:
        await asked(keyring, "ann")
        kept.keys.clear()
        keyring.changed()
        with pytest.raises(Unauthorized):
            await asked(keyring, "ann")

    run(steps())


def test_an_expired_key_is_refused_and_says_so(keyring: Keyring, kept: Kept) -> None:
    ended = Key("bob", "viewer", "root", NOW, NOW - timedelta(seconds=1))
    kept.keys[digest_of("bob")] = ended

    async def steps() -> None:
        with pytest.raises(Unauthorized, match="'bob' has expired"):
            await asked(keyring, "bob")

    run(steps())


def test_while_the_database_is_away_the_known_count_and_nobody_is_called_unknown(
    keyring: Keyring, kept: Kept
) -> None:
    async def steps() -> None:
        await asked(keyring, "ann")
        kept.error = NotReady("the database does not answer")
        with pytest.raises(NotReady, match="the database does not answer"):
            await asked(keyring, "bob")
        assert (await asked(keyring, "ann")).name == "ann"
        assert (await asked(keyring, ADMIN_KEY)).role == "admin"
        assert keyring.caller(None).role == "anonymous"
        assert keyring.trouble
        kept.error = None
        with pytest.raises(Unauthorized):
            await asked(keyring, "bob")
        assert keyring.trouble == ""

    run(steps())


def test_a_database_that_hangs_is_waited_for_once(
    keyring: Keyring, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def steps() -> None:
        await asked(keyring, "ann")
        monkeypatch.setattr(auth, "PATIENCE_S", 0.1)
        monkeypatch.setattr(auth, "LIFE_S", 0.0)
        kept.answers.clear()
        started = time.monotonic()
        for _ in range(200):
            assert (await asked(keyring, "ann")).name == "ann"
        assert time.monotonic() - started < 200 * 0.1 / 2
        with pytest.raises(NotReady, match="cannot be read"):
            await asked(keyring, "bob")
        kept.answers.set()

    run(steps())


def test_a_file_that_is_damaged_is_told_where_a_key_may_be_in_it(
    keyring: Keyring, kept: Kept
) -> None:
    kept.trouble = "keys.json cannot be read"

    async def steps() -> None:
        assert (await asked(keyring, "ann")).name == "ann"
        with pytest.raises(NotReady, match=r"keys\.json"):
            await asked(keyring, "bob")

    run(steps())
