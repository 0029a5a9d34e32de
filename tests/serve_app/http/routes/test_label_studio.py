"""label_studio.py: a labelling project gets pre-annotations, and its annotations teach."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from serve_app.http import auth
from serve_app.http.predictions import AT_ONCE
from support.inputs.annotated import event, interface, task
from support.inputs.pictures import cracked
from support.inputs.sounds import tone
from support.inputs.uploads import new_clip
from support.keys import key_of
from support.replica import ADMIN, Replica, answering

CLIPS = [tone(300), tone(900)]


@pytest.fixture(scope="module")
def client(replica: Replica) -> Iterator[TestClient]:
    with answering(replica) as found:
        yield found


@pytest.fixture(scope="module")
def contributor(replica: Replica) -> dict[str, str]:
    key = key_of(replica.store, "ann", "contributor")
    return {"Authorization": f"Bearer {key}"}


def asked(replica: Replica, *tasks: dict[str, Any]) -> dict[str, Any]:
    """As Label Studio asks for pre-annotations."""
    config = interface(replica.domain.labels)
    params = {"login": None, "password": None, "context": None}
    return {
        "tasks": list(tasks),
        "project": "3.1764000000",
        "label_config": config,
        "params": params,
    }


def test_it_connects_to_a_project_that_asks_for_the_labels(
    client: TestClient, replica: Replica
) -> None:
    body = {"project": "3.1764000000", "hostname": "http://labels", "access_token": "t"}
    config = interface(replica.domain.labels)
    found = client.post("/setup", json={**body, "schema": config})
    assert found.json() == {"model_version": replica.served.version}
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (interface(["zero", "one"]), "a <Choice> for each label"),
        ('<View><Audio name="a" value="$a"/></View>', "a <Choice> for each label"),
        ("<View", "not XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><View>&b;</View>', "no entities"),
    ],
)
def test_another_project_is_told_what_it_lacks(
    client: TestClient, replica: Replica, config: str, words: str
) -> None:
    for path, body in (("/setup", {"schema": config}), ("/predict", {"label_config": config})):
        found = client.post(path, json={"tasks": [], **body})
        assert (found.status_code, words in found.json()["detail"]) == (400, True), found.text


def test_a_task_gets_what_predict_answers_of_its_clip(client: TestClient, replica: Replica) -> None:
    wanted = [client.post("/predict", files={"file": clip}).json() for clip in CLIPS]
    found = client.post("/predict", json=asked(replica, *map(task, CLIPS))).json()
    assert found["model_version"] == replica.served.version
    for row, one in zip(found["results"], wanted, strict=True):
        assert row["score"] == pytest.approx(one["confidence"], abs=1e-5)
        assert row["result"] == [
            {
                "from_name": "what",
                "to_name": "clip",
                "type": "choices",
                "value": {"choices": [one["label"]]},
            }
        ]


def test_a_damaged_clip_leaves_its_own_task_alone_empty(
    client: TestClient, replica: Replica
) -> None:
    tasks = task(b"no recording"), task(CLIPS[0])
    damaged, whole = client.post("/predict", json=asked(replica, *tasks)).json()["results"]
    assert (damaged["result"], "is text" in damaged["error"]) == ([], True)
    assert whole["result"]


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:8000/admin-key",
        "s3://bucket/a.wav",
        "/data/upload/3/a.wav",
        "file:///etc/passwd",
        "http://elsewhere/clips/../../etc/passwd",
        "data:audio/wav,plain",
    ],
)
def test_no_address_is_fetched(
    client: TestClient, replica: Replica, contributor: dict[str, str], address: str
) -> None:
    asks: list[tuple[str, dict[str, Any]]] = [
        ("/predict", asked(replica, task(address, 12))),
        ("/webhook", event(task(address, 12), "one")),
    ]
    for path, body in asks:
        found = client.post(path, json=body, headers=contributor)
        assert found.status_code == 400, found.text
        assert "task 12 holds no clip" in found.json()["detail"]


def test_a_kept_clip_is_named_by_who_may_correct(
    client: TestClient, replica: Replica, contributor: dict[str, str]
) -> None:
    kept, _ = replica.store.clips.add(new_clip(tone(500), "two", domain="keywords"), who="ann")
    body = asked(replica, task(f"http://telltale:8000/keywords/clips/{kept.sha256}/content"))
    assert client.post("/predict", json=body).status_code == 401
    assert client.post("/predict", json=body, headers=contributor).json()["results"][0]["result"]
    key = contributor["Authorization"].removeprefix("Bearer ")
    assert client.post("/predict", json=body, auth=("label-studio", key)).status_code == 200
    assert client.post("/predict", json=body, auth=("label-studio", "wrong")).status_code == 401
    missing = asked(replica, task(f"/clips/{'0' * 64}"))
    assert client.post("/predict", json=missing, headers=contributor).status_code == 404


def test_a_password_is_looked_up_as_a_bearer_key_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "LIFE_S", 0.2)
    replica = Replica("keywords", tmp_path)
    password = ("label-studio", key_of(replica.store, "lena", "viewer"))
    body = asked(replica, task(CLIPS[0]))
    with answering(replica) as client:
        assert client.post("/predict", json=body, auth=password).status_code == 200
        replica.store.keys.revoke("lena", who="a test")  # as on another machine
        time.sleep(auth.LIFE_S)
        assert client.post("/predict", json=body, auth=password).status_code == 401
    replica.store.close()


def test_kept_clips_do_not_lie_in_memory_together(
    client: TestClient, replica: Replica, contributor: dict[str, str], monkeypatch: Any
) -> None:
    kept, _ = replica.store.clips.add(new_clip(tone(510), "two", domain="keywords"), who="ann")
    read: list[str] = []
    real = replica.store.clips.read

    def counted(sha256: str) -> bytes:
        read.append(sha256)
        assert len(read) <= answered() + AT_ONCE
        return real(sha256)

    def answered() -> int:
        return replica.metrics.tally["predictions"] - before

    before = replica.metrics.tally["predictions"]
    monkeypatch.setattr(replica.store.clips, "read", counted)
    tasks = [task(f"/clips/{kept.sha256}/content")] * 20
    found = client.post("/predict", json=asked(replica, *tasks), headers=contributor)
    assert len(found.json()["results"]) == 20


@pytest.mark.parametrize("tasks", [[{}] * 300_000, [{"data": {"a": [[]] * 300_000}}]])
def test_json_that_would_fill_the_memory_is_not_read(
    client: TestClient, tasks: list[dict[str, Any]]
) -> None:
    found = client.post("/predict", json={"tasks": tasks, "label_config": ""})
    assert (found.status_code, "values" in found.json()["detail"]) == (400, True), found.text[:300]


def test_an_annotation_is_a_correction_of_its_clip(
    client: TestClient, replica: Replica, contributor: dict[str, str]
) -> None:
    body = event(task(tone(1234)), "seven")
    assert client.post("/webhook", json=body).status_code == 401
    found = client.post("/webhook", json=body, headers=contributor).json()
    assert found["status"] == "accepted"
    receipt = replica.store.feedback.get(found["receipt"])
    assert (receipt.corrected, receipt.who) == ("seven", "ann")
    assert replica.store.clips.get("keywords", receipt.clip_sha256).state == "accepted"


def test_a_changed_annotation_relabels_where_an_admin_says_so(
    client: TestClient, replica: Replica, contributor: dict[str, str]
) -> None:
    client.post("/webhook", json=event(task(tone(1400)), "six"), headers=contributor)
    changed = event(task(tone(1400)), "five", "ANNOTATION_UPDATED")
    waits = client.post("/webhook", json=changed, headers=contributor).json()
    assert waits["status"] == "quarantined"
    admin = {"Authorization": f"Bearer {ADMIN}"}
    said = client.post("/webhook", json=changed, headers=admin).json()
    receipt = replica.store.feedback.get(said["receipt"])
    assert replica.store.clips.get("keywords", receipt.clip_sha256).label == "five"


NO_CHOICES: tuple[Any, ...] = (
    *(None, 5, "one", []),
    *({"choices": 5}, {"choices": {"a": 1}}, {"choices": [["one"]]}),
)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (event(task(CLIPS[0]), "one", was_cancelled=True), 200, "not skipped"),
        (event(task(CLIPS[0]), "one", "ANNOTATIONS_DELETED"), 200, "made or changed"),
        (event(task(CLIPS[0]), "one", result=[]), 400, "must choose one label"),
        (event(task(CLIPS[0]), "eleven"), 404, "eleven"),
        *(
            (
                event(task(CLIPS[0]), "one", result=[{"type": "choices", "value": value}]),
                400,
                "must",
            )
            for value in NO_CHOICES
        ),
        ({"task": task(CLIPS[0])}, 400, "action"),
    ],
)
def test_what_teaches_nothing_says_why(
    client: TestClient, contributor: dict[str, str], body: dict[str, Any], status: int, words: str
) -> None:
    found = client.post("/webhook", json=body, headers=contributor)
    assert found.status_code == status
    assert words in found.text


def test_of_a_photograph_the_label_for_nothing_needs_no_mask(tmp_path: Path) -> None:
    replica = Replica("cracks", tmp_path)
    photograph = cracked(seed=1)[0]
    admin = {"Authorization": f"Bearer {ADMIN}"}
    with answering(replica) as client:
        config = interface(replica.domain.labels, of="Image")
        body = {"tasks": [task(photograph)], "label_config": config}
        assert client.post("/predict", json=body).json()["results"][0]["score"] > 0.5
        found = client.post("/webhook", json=event(task(photograph), "no crack"), headers=admin)
        assert found.json()["status"] == "accepted"
        found = client.post("/webhook", json=event(task(photograph), "crack"), headers=admin)
        assert "brings no mask" in found.json()["detail"]
    replica.store.close()
