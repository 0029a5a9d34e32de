"""accounts.py and what else a person asks of himself and the past, against the real routes."""

from collections.abc import Iterator

import pytest

from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.http.api import build_api
from support.fakes.fake_curator import Curator, Handle
from support.inputs.sounds import tone
from support.local_server import Server
from support.replica import ADMIN, Replica


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    replica = Replica("keywords", tmp_path_factory.mktemp("home"))
    replica.curator = Handle(Curator(replica.domain, replica.store))
    with Server(build_api(replica)) as url, Client(url, ADMIN) as client:  # type: ignore[arg-type]
        yield client
    replica.store.close()


def test_an_admin_hands_out_keys_and_takes_them_back(admin: Client) -> None:
    keys = admin.accounts
    ann = admin.with_key(keys.add("ann", "viewer", days=30).key)
    assert (ann.me().name, ann.me().role, ann.me().expires is None) == ("ann", "viewer", False)
    with pytest.raises(ServiceError, match="needs the role admin"):
        ann.accounts.all_keys()
    assert keys.expire("ann", None).expires is None
    again = admin.with_key(keys.rotate("ann").key)
    assert [key.name for key in keys.all_keys()] == ["ann"]
    assert keys.revoke("ann").role == "viewer"
    for caller in (ann, again):
        with pytest.raises(ServiceError, match="not known"):
            caller.me()
    events = keys.events("keywords", kind="key", limit=2)
    assert [event.kind for event in events.events] == ["key.revoked", "key.rotated"]
    first = keys.events("keywords", kind="key", before=events.next, until=events.events[0].at)
    assert [event.kind for event in first.events] == ["key.expiry_set", "key.added"]


def test_a_sender_sees_his_receipts_and_an_admin_takes_a_decision_back(admin: Client) -> None:
    bob = admin.with_key(admin.accounts.add("bob", "contributor").key)
    receipt = bob.correct("keywords", tone(), "four")
    assert [one.receipt for one in bob.own_receipts("keywords")] == [receipt.receipt]
    assert bob.own_receipts("keywords", offset=1) == ()
    admin.reject("keywords", receipt.clip, "a door")
    assert admin.undo("keywords", receipt.clip).state == "accepted"
    (clip,) = admin.clips("keywords", doubted=True)
    assert (clip.label, clip.may_forget) == ("four", True)
    assert clip.model is not None
    assert clip.model.label == receipt.predicted


def test_the_last_minutes_are_there_for_everybody(admin: Client) -> None:
    history = admin.with_key("").history("keywords", "1h")
    assert history.points[-1].replicas == 1
