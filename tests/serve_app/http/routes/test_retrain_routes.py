"""retrain_routes.py: an admin follows and ends the runs of the domain that is asked, no other."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from support.fakes.fake_curator import Curator, Handle
from support.replica import ADMIN, Replica, answering


@pytest.fixture
def replica(tmp_path: Path) -> Iterator[Replica]:
    replica = Replica("keywords", tmp_path)
    replica.curator = Handle(Curator(replica.domain, replica.store))
    for run_id, domain in (("mine", "keywords"), ("theirs", "faults")):
        replica.store.runs.start(run_id, domain=domain, mode="teach", reason="why", who="ann")
    yield replica
    replica.store.close()


@pytest.fixture
def admin(replica: Replica) -> Iterator[TestClient]:
    with answering(replica) as client:
        client.headers["Authorization"] = f"Bearer {ADMIN}"
        yield client


def test_runs_of_another_domain_are_neither_shown_nor_ended(
    admin: TestClient, replica: Replica
) -> None:
    assert [run["id"] for run in admin.get("/retrain").json()["runs"]] == ["mine"]
    for method, path in (("GET", ""), ("GET", "/events"), ("DELETE", "")):
        found = admin.request(method, f"/retrain/theirs{path}")
        assert found.status_code == 404, (method, path)
        assert "one of faults" in found.json()["detail"]
    assert replica.store.runs.get("theirs").state == "queued"


def test_events_go_on_where_one_left_off(admin: TestClient, replica: Replica) -> None:
    assert admin.delete("/retrain/mine").json()["state"] == "cancelled"
    events = admin.get("/retrain/mine").json()["events"]
    assert [event["kind"] for event in events] == ["queued", "finished"]
    told = admin.get("/retrain/mine/events").text
    assert told.count("event: ") == 2
    assert f"id: {events[0]['id']}\nevent: queued\ndata: {{" in told
    rest = admin.get("/retrain/mine/events", headers={"Last-Event-ID": str(events[0]["id"])}).text
    assert "event: queued" not in rest
    assert "event: finished" in rest


def test_who_ordered_a_retrain_and_why_is_not_for_everybody(admin: TestClient) -> None:
    def running(key: str) -> list[tuple[str, str]]:
        found = admin.get("/status", headers={"Authorization": key}).json()
        return [(run["who"], run["reason"]) for run in found["domains"]["keywords"]["running"]]

    assert running("") == [("", "")]
    assert running(f"Bearer {ADMIN}") == [("ann", "why")]
