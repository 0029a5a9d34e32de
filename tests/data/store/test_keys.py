"""Keys in the database: one for a name, each change with its event, all machines' one truth."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from data.access_keys import digest_of
from data.database.database import Database
from data.errors import Conflict, InvalidParameter, TelltaleError, UnknownName
from data.store.keys import NewKey
from data.store.store import Store

YESTERDAY, TOMORROW = (datetime.now(UTC) + timedelta(days=days) for days in (-1, 1))


def names(store: Store) -> list[str]:
    return [key.name for key in store.keys.find()]


def test_a_key_is_kept_as_a_digest_and_seen_once(store: Store, database_url: str) -> None:
    made = store.keys.add("ann", "contributor", who="root")
    assert made.secret.startswith("tt_")  # never "-", which a command line takes for an option
    assert store.keys.by_digest() == {digest_of(made.secret): made.key}
    database = Database(database_url)
    with database.read() as connection:
        rows = connection.execute(text("SELECT * FROM access_keys")).all()
        told = connection.execute(text("SELECT * FROM events")).all()
    database.close()
    assert made.secret not in f"{rows} {told}"


def test_a_name_has_one_key_and_a_known_role(store: Store) -> None:
    store.keys.add("ann", "viewer", who="root")
    with pytest.raises(Conflict, match="ann"):
        store.keys.add("ann", "admin", who="root")
    with pytest.raises(InvalidParameter, match="viewer, contributor, admin"):
        store.keys.add("bob", "king", who="root")  # type: ignore[arg-type]
    for name in ("", "a b", "a\n", "x" * 61, "anonymous", "admin"):
        with pytest.raises(InvalidParameter):
            store.keys.add(name, "viewer", who="root")
    assert names(store) == ["ann"]


def test_a_revoked_key_is_gone_and_its_name_free(store: Store) -> None:
    first = store.keys.add("ann", "viewer", who="root")
    assert store.keys.revoke("ann", who="root") == first.key
    assert store.keys.by_digest() == {}
    again = store.keys.add("ann", "admin", who="root")
    assert list(store.keys.by_digest()) == [digest_of(again.secret)]
    store.keys.revoke("ann", who="root")
    with pytest.raises(UnknownName, match="ann"):
        store.keys.revoke("ann", who="root")


def test_a_rotated_key_has_another_secret_and_the_same_end(store: Store) -> None:
    first = store.keys.add("ann", "viewer", who="root", expires_at=TOMORROW)
    second = store.keys.rotate("ann", who="bob")
    assert list(store.keys.by_digest()) == [digest_of(second.secret)]
    assert second.secret != first.secret
    assert (second.key.role, second.key.expires_at, second.key.who) == ("viewer", TOMORROW, "bob")


def test_an_expired_key_is_rotated_only_once_it_has_more_time(store: Store) -> None:
    store.keys.add("ann", "viewer", who="root")
    assert store.keys.expire("ann", YESTERDAY, who="root").has_expired
    with pytest.raises(Conflict, match="more time"):
        store.keys.rotate("ann", who="root")
    assert not store.keys.expire("ann", None, who="root").has_expired
    store.keys.rotate("ann", who="root")


def test_each_change_of_a_key_is_recorded(store: Store) -> None:
    store.keys.add("ann", "viewer", who="root")
    store.keys.expire("ann", TOMORROW, who="bob")
    store.keys.rotate("ann", who="cid")
    store.keys.revoke("ann", who="dan")
    found = store.events.find(subject="key:ann")
    assert [(event.kind, event.who) for event in found] == [
        ("key.added", "root"),
        ("key.expiry_set", "bob"),
        ("key.rotated", "cid"),
        ("key.revoked", "dan"),
    ]
    assert found[1].detail == {"expires": TOMORROW.isoformat(), "before": None}


def test_of_keys_made_for_a_name_at_the_same_moment_one_counts(store: Store) -> None:
    made: list[NewKey] = []
    refused: list[TelltaleError] = []

    def make() -> None:
        try:
            made.append(store.keys.add("ann", "viewer", who="root"))
        except TelltaleError as error:
            refused.append(error)

    makers = [threading.Thread(target=make) for _ in range(6)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert (len(made), {type(error) for error in refused}) == (1, {Conflict})
    assert list(store.keys.by_digest()) == [digest_of(made[0].secret)]


def test_a_list_is_taken_over_once(store: Store) -> None:
    store.keys.take_over({"0" * 64: ("ann", "viewer")}, "a list", who="telltale")
    store.keys.revoke("ann", who="root")
    store.keys.take_over({"0" * 64: ("ann", "viewer")}, "a list", who="telltale")
    assert names(store) == []


def test_keys_of_one_name_in_a_list_all_go_on_working(store: Store) -> None:
    store.keys.add("ann", "viewer", who="root")
    rows = {str(digit) * 64: ("ann", "contributor") for digit in range(2)}
    store.keys.take_over(rows, "a list", who="telltale")  # type: ignore[arg-type]
    assert names(store) == ["ann", "ann.2", "ann.3"]
    assert rows.keys() <= store.keys.by_digest().keys()
