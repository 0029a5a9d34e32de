"""key_routes.py: an admin hands out keys and takes them back, while others go on asking."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from serve_app.settings import Quotas
from support.inputs.sounds import tone
from support.keys import old_key
from support.replica import ADMIN, Replica, answering


@pytest.fixture
def replica(tmp_path: Path) -> Iterator[Replica]:
    replica = Replica("keywords", tmp_path)
    yield replica
    replica.store.close()


@pytest.fixture
def client(replica: Replica) -> Iterator[TestClient]:
    with answering(replica) as found:
        found.headers["authorization"] = f"Bearer {ADMIN}"
        yield found


def role_of(client: TestClient, key: str) -> str:
    """Or what is said of the key."""
    found = client.get("/me", headers={"authorization": f"Bearer {key}"}).json()
    return str(found.get("role") or found["detail"])


def made(client: TestClient, name: str, **order: object) -> str:
    found = client.post("/keys", json={"name": name, "role": "contributor", **order})
    assert found.status_code == 201, found.text
    return str(found.json()["key"])


def test_a_key_works_from_its_making_to_its_end(client: TestClient) -> None:
    key = made(client, "ann")
    assert role_of(client, key) == "contributor"
    assert key not in client.get("/keys").text
    other = client.post("/keys/ann/rotate").json()["key"]
    assert (role_of(client, other), "not known" in role_of(client, key)) == ("contributor", True)
    assert client.delete("/keys/ann").json()["name"] == "ann"
    assert "not known" in role_of(client, other)
    assert client.get("/keys").json()["keys"] == []


def test_who_asks_learns_of_his_quota(client: TestClient, replica: Replica) -> None:
    assert client.get("/me").json()["requests_per_minute"] is None
    replica.settings = replace(replica.settings, quotas=Quotas(key=60, address=5))
    assert client.get("/me").json()["requests_per_minute"] == 60
    del client.headers["authorization"]
    assert client.get("/me").json()["requests_per_minute"] == 5


def test_a_key_ends_when_it_was_said_to(client: TestClient) -> None:
    key = made(client, "ann", days=30)
    (told,) = client.get("/keys").json()["keys"]
    left = datetime.fromisoformat(told["expires"]) - datetime.now(UTC)
    assert timedelta(days=29.9) < left <= timedelta(days=30)
    assert client.get("/me", headers={"authorization": f"Bearer {key}"}).json()["expires"]
    client.post("/keys/ann/expire", json={"days": 1e-6})
    assert "has expired" in role_of(client, key)
    assert client.get("/keys").json()["keys"][0]["expired"]
    client.post("/keys/ann/expire", json={})
    assert role_of(client, key) == "contributor"


def test_a_key_of_the_old_file_works_and_can_be_revoked(
    client: TestClient, replica: Replica
) -> None:
    key = old_key(replica.settings.home.root, "ann", "viewer")
    assert role_of(client, key) == "viewer"
    client.delete("/keys/ann").raise_for_status()
    assert "not known" in role_of(client, key)


def test_a_key_that_another_machine_has_revoked_is_refused_soon(
    client: TestClient, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = made(client, "ann")
    assert role_of(client, key) == "contributor"
    replica.store.keys.revoke("ann", who="elsewhere")
    monkeypatch.setattr("serve_app.http.auth.LIFE_S", 0.0)  # that long later
    assert "not known" in role_of(client, key)


def test_who_am_i(client: TestClient) -> None:
    mine = client.get("/me").json()
    assert (mine["name"], mine["role"], mine["limits"]["max_bytes"] > 0) == ("admin", "admin", True)
    assert role_of(client, "") == "the Authorization header must read 'Bearer <key>'"
    del client.headers["authorization"]
    assert client.get("/me").json()["role"] == "anonymous"


def test_whoever_has_a_key_sees_his_own_receipts_and_no_others(
    client: TestClient, replica: Replica
) -> None:
    keys = [made(client, name) for name in ("ann", "bob")]
    for seed, key in enumerate(keys):
        head = {"authorization": f"Bearer {key}"}
        form = {"files": {"file": tone(seed=seed)}, "data": {"label": "two"}, "headers": head}
        assert client.post("/feedback", **form).status_code == 201  # type: ignore[arg-type]
    head = {"authorization": f"Bearer {keys[0]}"}
    assert client.get("/feedback", headers=head).status_code == 403
    (receipt,) = client.get("/feedback?mine=true", headers=head).json()["feedback"]
    assert receipt["who"] == "ann"
    assert client.get("/feedback?mine=true", headers={"authorization": ""}).status_code == 401
    assert len(client.get("/feedback").json()["feedback"]) == 2


def test_an_admin_reads_who_did_what(client: TestClient) -> None:
    made(client, "ann")
    client.delete("/keys/ann")
    found = client.get("/events?kind=key&limit=1").json()
    assert [event["kind"] for event in found["events"]] == ["key.revoked"]
    assert (found["events"][0]["who"], found["events"][0]["subject"]) == ("admin", "key:ann")
    rest = client.get(f"/events?kind=key&before={found['next']}").json()
    assert ([event["kind"] for event in rest["events"]], rest["next"]) == (["key.added"], None)
    at = rest["events"][0]["at"]
    late = client.get("/events", params={"kind": "key.added", "until": at}).json()["events"]
    assert late == []
    assert client.get("/events", params={"since": "0001-01-01T00:00:00+14:00"}).status_code == 400
    assert client.get("/events", params={"since": "2026-01-01T00:00:00"}).status_code == 400
