"""openapi.py: every route is declared whole, and answers as it is declared."""

import base64
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from data.domains.domain import load_domains
from data.store.clips.clip_rows import NewClip
from serve_app.replica.champion import Champion
from support.fakes.fake_curator import Curator, Handle
from support.inputs.annotated import event, interface, task
from support.inputs.declared import PROBLEM, Declared
from support.inputs.pictures import cracked
from support.inputs.sounds import tone
from support.inputs.uploads import new_clip
from support.keys import key_of
from support.predictions import keep_prediction
from support.replica import ADMIN, Away, Replica, answering
from support.waiting import wait_for

NO_CLIP = b"this is no recording at all"
NONE = "f" * 64
DATA = [base64.b64encode(tone()).decode()]
ONE_CLIP = {"inputs": [{"name": "clip", "datatype": "BYTES", "shape": [1], "data": DATA}]}
WORDS = load_domains(names=("keywords",))["keywords"].labels
JSON_BODIES: dict[str, Any] = {
    "/retrain": {"mode": "teach"},
    "/feedback/{receipt_id}/reject": {"reason": ""},
    "/clips/{sha256}/reject": {"reason": ""},
    "/clips/{sha256}/relabel": {"label": "one"},
    "/setup": {"schema": interface(WORDS)},
    "/webhook": {"action": "PROJECT_CREATED"},
    "/keys": {"name": "bob", "role": "viewer"},
    "/keys/{name}/expire": {"days": 1},
    "/clips/{sha256}": {"group": "speaker 7"},
    "/predictions/{number}/label": {"label": "one"},
}
NAMED: dict[str, Any] = dict.fromkeys(
    ("receipt_id", "sha256", "run_id", "job_id", "upload_id"), NONE
)
NAMED |= {"version": "9", "number": 1, "a": "1", "b": "2"}
BARE = {  # whose headers say it all
    *(("OPTIONS", "/uploads", "204"), ("POST", "/uploads", "201")),
    *(("HEAD", "/uploads/{upload_id}", "200"), ("PATCH", "/uploads/{upload_id}", "204")),
    ("DELETE", "/uploads/{upload_id}", "204"),
}
TUS = {"tus-resumable": "1.0.0"}
INFER = ("/v2/models/{name}/infer", "/v2/models/{name}/versions/{version}/infer")


@pytest.fixture(scope="module")
def replica() -> Iterator[Replica]:
    with tempfile.TemporaryDirectory() as home:
        replica = Replica("keywords", Path(home))
        replica.curator = Handle(Curator(replica.domain, replica.store))
        yield replica
        replica.store.close()


@pytest.fixture(scope="module")
def service(replica: Replica) -> Iterator[Declared]:
    keys = {"admin": ADMIN, "wrong": "tt_nobody-has-this"}
    keys["viewer"] = key_of(replica.store, "viewer", "viewer")
    keys["contributor"] = key_of(replica.store, "contributor", "contributor")
    with answering(replica) as client:
        yield Declared(client, keys)


@pytest.fixture
def clip(replica: Replica) -> str:
    return add(replica, new_clip(tone(700), "two", domain="keywords"))


def add(replica: Replica, new: NewClip) -> str:
    return replica.store.clips.add(new, who="ann")[0].sha256


def correct(service: Declared, role: str = "", seed: int = 0) -> dict[str, Any]:
    form = {"files": {"file": tone(600, seed=seed)}, "data": {"label": "one"}}
    kept: dict[str, Any] = service.ask("POST", "/feedback", 201, role, **form).json()
    return kept


# -- the document --------------------------------------------------------------------------------


def test_every_operation_says_what_it_does(service: Declared) -> None:
    mute = [
        (method, path)
        for method, path, operation in service.operations()
        if not operation.get("description")
    ]
    assert mute == []


def test_every_answer_has_a_schema(service: Declared) -> None:
    bare = [
        (method, path, status)
        for method, path, operation in service.operations()
        for status, answer in operation["responses"].items()
        if not all(kind.get("schema") for kind in answer.get("content", {"": {}}).values())
    ]
    assert set(bare) == BARE


def test_every_refusal_is_a_problem_document(service: Declared) -> None:
    kinds = {
        (path.startswith("/v2"), kind)
        for _, path, operation in service.operations()
        for status, answer in operation["responses"].items()
        if int(status) >= 400
        for kind in answer["content"]
    }
    assert kinds == {(False, PROBLEM), (True, "application/json")}


def test_what_is_posted_is_described(service: Declared) -> None:
    posted = {path for method, path, o in service.operations() if "requestBody" in o}
    forms = {"/predict", "/batch-predict", "/analyze", "/feedback", "/upload"}
    assert posted == {*forms, *JSON_BODIES, *INFER, "/uploads/{upload_id}"}


def test_a_key_is_asked_for_where_the_document_says_so(service: Declared) -> None:
    assert service.document["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    for method, path, operation in service.operations():
        security = operation.get("security", [])
        name = NONE if path.startswith("/keys") else "keywords"
        place = path.format(name=name, **NAMED)
        body = {"json": JSON_BODIES[path]} if path in JSON_BODIES else {}
        if security:
            service.ask(method, place, 401, "wrong", **body)
        if security and {} not in security:
            service.ask(method, place, 401, "", **body)
        if "403" in operation["responses"]:
            service.ask(method, place, 403, "viewer", **body)
            if path not in {"/upload", "/webhook"}:
                service.ask(method, place, 403, "contributor", **body)


# -- what each route answers ---------------------------------------------------------------------


def test_every_route_answers_as_declared(service: Declared, replica: Replica, clip: str) -> None:
    of_the_service(service)
    of_predictions(service)
    of_recordings(service)
    of_the_inference_protocol(service, replica.served.version)
    of_label_studio(service)
    of_corrections(service)
    of_clips(service, clip)
    of_kept_predictions(service, keep_prediction(replica, tone(1100)))
    of_runs_and_versions(service)
    of_keys(service)
    missing = {
        (method, path)
        for method, path, _ in service.operations()
        if not any((method, path, status) in service.answered for status in (200, 201, 202, 204))
    }
    assert missing == {("GET", "/feedback/{receipt_id}/mask"), ("GET", "/clips/{sha256}/mask")}


def of_the_service(service: Declared) -> None:
    for path in ("/health", "/ready", "/status", "/domains", "/model-info", "/metrics"):
        service.ask("GET", path, role="")
    service.ask("GET", "/metrics", headers={"accept": "application/json"})
    assert service.ask("GET", "/status").json()["domains"]["keywords"]["champion"]["version"] == "2"


def of_predictions(service: Declared) -> None:
    service.ask("POST", "/predict?evidence=true&top_k=3", role="", files={"file": tone()})
    service.ask("POST", "/predict", content=tone(), headers={"content-type": "audio/wav"})
    forms = [("files", ("a.wav", tone())), ("files", ("b.wav", NO_CLIP))]
    many = service.ask("POST", "/batch-predict", role="", files=forms).json()
    assert many["aggregate"]["failed"] == 1
    service.ask("POST", "/batch-predict", files=forms, headers={"accept": "text/csv"})


def of_recordings(service: Declared) -> None:
    for query in ("", "?format=csv", "?format=raven", "?format=audacity", "?format=parquet"):
        service.ask("POST", f"/analyze{query}", role="", files={"file": tone()})
    service.ask("POST", "/analyze", content=tone(), headers={"accept": "text/event-stream"})
    later = {"prefer": "respond-async"}
    job = service.ask("POST", "/analyze", 202, role="", content=tone(), headers=later).json()["id"]
    wait_for(lambda: service.ask("GET", f"/jobs/{job}").json()["state"] == "succeeded")
    service.ask("GET", f"/jobs/{job}?format=csv", role="")
    service.ask("DELETE", f"/jobs/{job}", role="")
    service.ask("OPTIONS", "/uploads", 204, role="")
    begin = TUS | {"upload-length": "9"}
    service.ask("GET", "/uploads", role="viewer")
    place = service.ask("POST", "/uploads", 201, role="", headers=begin).headers["location"]
    service.ask("HEAD", place, role="", headers=TUS)
    part = TUS | {"upload-offset": "0", "content-type": "application/offset+octet-stream"}
    service.ask("PATCH", place, 204, role="", content=b"abc", headers=part)
    service.ask("DELETE", place, 204, role="", headers=TUS)


def of_the_inference_protocol(service: Declared, version: str) -> None:
    for path in ("", "/health/live", "/health/ready"):
        service.ask("GET", f"/v2{path}", role="")
    for model in ("/v2/models/keywords", f"/v2/models/keywords/versions/{version}"):
        service.ask("GET", model)
        service.ask("GET", f"{model}/ready")
        service.ask("POST", f"{model}/infer", role="", json=ONE_CLIP)


def of_label_studio(service: Declared) -> None:
    service.ask("POST", "/setup", role="", json=JSON_BODIES["/setup"])
    order = {"tasks": [task(tone()), task(NO_CLIP)], "label_config": interface(WORDS)}
    service.ask("POST", "/predict", role="", json=order)
    service.ask("POST", "/webhook", role="contributor", json=event(task(tone(650)), "one"))


def of_corrections(service: Declared) -> None:
    receipts = [correct(service, seed=seed)["receipt"] for seed in (1, 2)]
    service.ask("GET", "/feedback")
    service.ask("GET", "/feedback?mine=true", role="viewer")
    service.ask("GET", f"/feedback/{receipts[0]}", role="")
    service.ask("POST", f"/feedback/{receipts[0]}/accept")
    service.ask("POST", f"/feedback/{receipts[1]}/reject", json={"reason": "a door"})
    forms = [("files", ("a.wav", tone(500))), ("files", ("b.wav", NO_CLIP))]
    told = service.ask("POST", "/upload", files=forms, data={"label": "two"}).json()
    assert told["counts"] == {"stored": 1, "refused": 1}


def of_clips(service: Declared, clip: str) -> None:
    assert service.ask("GET", "/clips?label=two").json()["clips"]
    service.ask("GET", f"/clips/{clip}")
    service.ask("GET", f"/clips/{clip}/content")
    service.ask("POST", f"/clips/{clip}/accept")
    service.ask("POST", f"/clips/{clip}/reject", json={"reason": "a door"})
    service.ask("POST", f"/clips/{clip}/relabel", json={"label": "one"})
    service.ask("POST", f"/clips/{clip}/undo")
    assert service.ask("GET", "/clips?order=disagreement").json()["clips"][0]["may_forget"]
    service.ask("PATCH", f"/clips/{clip}", json={"group": "speaker 7"})
    service.ask("DELETE", f"/clips/{clip}")


def of_kept_predictions(service: Declared, number: int) -> None:
    for order in ("newest", "ask"):
        found = service.ask("GET", f"/predictions?order={order}").json()["predictions"]
        assert found[0]["id"] == number
    service.ask("GET", f"/predictions/{number}/content")
    service.ask("GET", f"/predictions/{number}/replay")
    assert service.ask("GET", "/models/1/diff/2").json()["failed"] == 1
    service.ask("POST", f"/predictions/{number}/label", 201, json={"label": "one"})


def of_runs_and_versions(service: Declared) -> None:
    service.ask("POST", "/retrain", 400, json={"mode": "teach", "epochs": 3})
    service.ask("POST", "/retrain", 400, json={"mode": "full", "epochs": 10_000})
    full = {"mode": "full", "epochs": 3, "learning_rate": 0.01, "dry_run": True}
    ordered = service.ask("POST", "/retrain", 202, json=full).json()
    assert ordered["options"] == {"epochs": 3, "learning_rate": 0.01, "dry_run": True}
    service.ask("DELETE", f"/retrain/{ordered['id']}")
    run = service.ask("POST", "/retrain", 202, json={"mode": "teach"}).json()["id"]
    service.ask("GET", "/retrain")
    service.ask("DELETE", f"/retrain/{run}")
    assert [e["kind"] for e in service.ask("GET", f"/retrain/{run}").json()["events"]] == [
        "queued",
        "finished",
    ]
    assert "event: finished" in service.ask("GET", f"/retrain/{run}/events").text
    service.ask("GET", "/models", role="viewer")
    assert service.ask("GET", "/insights", role="viewer").json()["kept"]["clips"]
    for path in ("/models/rollback", "/models/purge", "/models/2/promote"):
        service.ask("POST", path)


def of_keys(service: Declared) -> None:
    made = service.ask("POST", "/keys", 201, json={"name": "cid", "role": "viewer", "days": 30})
    assert made.headers["cache-control"] == "no-store"
    service.ask("POST", "/keys/cid/rotate")
    service.ask("POST", "/keys/cid/expire", json={})
    assert [key["name"] for key in service.ask("GET", "/keys").json()["keys"]][0] == "cid"
    service.ask("DELETE", "/keys/cid")
    service.ask("GET", "/me", role="viewer")
    assert service.ask("GET", "/events?kind=key").json()["events"][0]["kind"] == "key.revoked"
    assert service.ask("GET", "/history?window=1h", role="").json()["points"][0]["replicas"] == 1


def test_a_photograph_is_answered_as_declared(tmp_path: Path) -> None:
    replica = Replica("cracks", tmp_path)
    photograph, mask = cracked(seed=1)
    with answering(replica) as client:
        service = Declared(client, {"admin": ADMIN})
        found = service.ask("POST", "/predict?evidence=true", files={"file": photograph}).json()
        assert found["evidence"]["mask_rle"]["size"] == [96, 96]
        service.ask("GET", "/domains")
        kept = service.ask("POST", "/feedback", 201, files={"file": photograph, "mask": mask})
        assert service.ask("GET", f"/feedback/{kept.json()['receipt']}/mask").content
        assert service.ask("GET", f"/clips/{kept.json()['clip']}/mask").content
        for method in ("GET", "OPTIONS"):
            service.ask(method, "/uploads", 400)  # which are of recordings
    replica.store.close()


# -- what each route refuses ---------------------------------------------------------------------

CLIP = {"file": tone()}
REFUSED: list[tuple[str, str, int, dict[str, Any]]] = [
    ("POST", "/predict?top_k=0", 400, {"files": CLIP}),
    ("POST", "/predict", 413, {"files": {"file": bytes(40_000_000)}}),
    ("POST", "/predict", 415, {"files": {"file": NO_CLIP}}),
    ("POST", "/predict", 422, {"files": {"file": tone()[:30]}}),
    ("POST", "/predict", 504, {"files": CLIP, "headers": {"x-deadline-seconds": "0"}}),
    ("POST", "/batch-predict", 400, {"data": {"files": "text"}}),
    ("POST", "/analyze?hop_s=0", 400, {"files": CLIP}),
    ("POST", "/analyze?threshold=none:1", 404, {"files": CLIP}),
    ("POST", "/analyze", 413, {"files": CLIP, "headers": {"content-length": "9" * 12}}),
    ("POST", "/analyze", 415, {"files": {"file": NO_CLIP}}),
    ("POST", "/analyze", 422, {"files": {"file": tone()[:30]}}),
    ("POST", "/analyze?upload=none", 404, {}),
    *(
        (method, f"{path}?no_such=1", 400, {})
        for method, path in (
            *(("GET", path) for path in ("/clips", "/keys", "/me", "/insights", "/models")),
            *(("GET", f"/{kind}/{NONE}") for kind in ("feedback", "jobs", "retrain")),
            *(("DELETE", f"/{kind}/{NONE}") for kind in ("clips", "jobs", "keys", "retrain")),
            ("POST", f"/feedback/{NONE}/accept"),
            ("POST", "/models/rollback"),
        )
    ),
    ("GET", f"/jobs/{NONE}", 404, {}),
    ("GET", f"/jobs/{NONE}?format=xls", 400, {}),
    ("DELETE", f"/jobs/{NONE}", 404, {}),
    ("POST", "/uploads", 400, {"headers": TUS}),
    ("POST", "/uploads", 412, {}),
    ("HEAD", f"/uploads/{NONE}", 404, {"headers": TUS}),
    ("PATCH", f"/uploads/{NONE}", 415, {"headers": TUS}),
    ("DELETE", f"/uploads/{NONE}", 404, {"headers": TUS}),
    ("POST", "/feedback", 400, {"files": CLIP}),
    ("POST", "/feedback", 404, {"files": CLIP, "data": {"label": "none such"}}),
    ("POST", "/feedback", 415, {"files": {"file": NO_CLIP}, "data": {"label": "one"}}),
    ("POST", "/feedback", 422, {"files": {"file": tone()[:30]}, "data": {"label": "one"}}),
    ("GET", "/feedback?state=lost", 400, {}),
    ("GET", f"/feedback/{NONE}", 404, {}),
    ("POST", f"/feedback/{NONE}/accept", 404, {}),
    ("POST", f"/feedback/{NONE}/reject", 404, {"json": {}}),
    ("POST", f"/feedback/{NONE}/reject", 400, {"json": {"why": "a wrong key"}}),
    ("GET", f"/feedback/{NONE}/mask", 404, {}),
    ("POST", "/upload", 400, {"files": {"file": tone()}}),
    ("POST", "/upload", 404, {"files": {"files": tone()}, "data": {"label": "none such"}}),
    ("GET", "/clips?limit=0", 400, {}),
    ("GET", f"/clips/{NONE}", 404, {}),
    ("GET", f"/clips/{NONE}/content", 404, {}),
    ("GET", f"/clips/{NONE}/mask", 404, {}),
    ("POST", f"/clips/{NONE}/accept", 404, {}),
    ("POST", f"/clips/{NONE}/reject", 404, {"json": {}}),
    ("POST", f"/clips/{NONE}/reject", 413, {"json": {"reason": "x" * 70_000}}),
    ("POST", f"/clips/{NONE}/relabel", 400, {"content": b"{"}),
    ("POST", f"/clips/{NONE}/relabel", 404, {"json": {"label": "none such"}}),
    ("PATCH", f"/clips/{NONE}", 404, {"json": {"group": "speaker 7"}}),
    ("PATCH", f"/clips/{NONE}", 400, {"json": {"group": "speaker\t7"}}),
    ("DELETE", f"/clips/{NONE}", 404, {}),
    ("GET", "/predictions?order=worst", 400, {}),
    ("GET", "/predictions/99/content", 404, {}),
    ("GET", "/predictions/99/replay", 404, {}),
    ("POST", "/predictions/99/label", 404, {"json": {"label": "one"}}),
    ("GET", "/models/1/diff/99", 404, {}),
    ("POST", "/retrain", 400, {"json": {"mode": "guess"}}),
    ("GET", "/retrain?limit=x", 400, {}),
    ("GET", "/retrain/none", 404, {}),
    ("DELETE", "/retrain/none", 404, {}),
    ("GET", "/retrain/none/events", 404, {}),
    ("POST", "/models/99/promote", 404, {}),
    ("GET", "/v2/models/none/ready", 404, {}),
    ("POST", "/v2/models/keywords/versions/99/infer", 404, {"json": ONE_CLIP}),
    ("POST", "/v2/models/keywords/infer", 400, {"content": b"{"}),
    ("POST", "/predict", 400, {"json": {}}),
    ("POST", "/setup", 400, {"json": {"schema": "<View/>"}}),
    ("POST", "/webhook", 404, {"json": event(task(tone()), "none such")}),
    ("POST", "/webhook", 415, {"json": event(task(NO_CLIP), "one")}),
    ("GET", "/clips?order=oldest", 400, {}),
    ("POST", f"/clips/{NONE}/undo", 404, {}),
    ("GET", "/events?since=yesterday", 400, {}),
    ("GET", "/events?kind=%00", 400, {}),
    ("GET", "/history?window=1y", 400, {}),
    ("POST", "/keys", 400, {"json": {"name": "a b", "role": "viewer"}}),
    ("POST", "/keys", 400, {"json": {"name": "bob", "role": "king"}}),
    ("POST", "/keys", 400, {"json": {"name": "bob", "role": "viewer", "days": 0}}),
    ("POST", "/keys", 409, {"json": {"name": "viewer", "role": "viewer"}}),
    ("POST", "/keys/nobody/rotate", 404, {}),
    ("POST", "/keys/nobody/expire", 404, {"json": {"days": 1}}),
    ("POST", "/keys/viewer/expire", 400, {"json": {"days": "forever"}}),
    ("DELETE", "/keys/nobody", 404, {}),
]


@pytest.mark.parametrize(("method", "path", "status", "asked"), REFUSED)
def test_a_refusal_is_declared(
    service: Declared, method: str, path: str, status: int, asked: dict[str, Any]
) -> None:
    service.ask(method, path, status, **asked)


def test_a_decision_that_was_made_is_not_made_again(service: Declared) -> None:
    receipt = correct(service, seed=5)["receipt"]
    service.ask("POST", f"/feedback/{receipt}/accept")
    service.ask("POST", f"/feedback/{receipt}/reject", 409, json={})
    clip = service.ask("GET", f"/feedback/{receipt}").json()["clip"]
    service.ask("POST", f"/clips/{clip}/undo")
    service.ask("POST", f"/clips/{clip}/undo", 409)


def test_one_retrain_at_a_time(service: Declared) -> None:
    run = service.ask("POST", "/retrain", 202, json={}).json()["id"]
    service.ask("POST", "/retrain", 409, json={})
    assert service.ask("GET", "/status").json()["domains"]["keywords"]["running"][0]["id"] == run
    service.ask("DELETE", f"/retrain/{run}")


def test_a_full_queue_is_told_when_to_come_back(
    service: Declared, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(replica.admission), "places", 0)
    for path in ("/predict", "/batch-predict", "/feedback"):
        files = {"files" if path == "/batch-predict" else "file": tone()}
        assert int(service.ask("POST", path, 429, files=files).headers["retry-after"]) >= 1


def test_a_replica_without_a_model_says_so(
    service: Declared, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "champion", Champion("keywords", replica.settings.home))
    found = service.ask("GET", "/ready", 503, headers={"x-request-id": "r-9"}).json()
    assert (found["domains"], found["request_id"]) == ({"keywords": "no model yet"}, "r-9")
    service.ask("GET", "/model-info", 503)


def test_parts_that_are_away_are_told(
    service: Declared, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "curator", Away())
    service.ask("GET", "/metrics", 503)
    assert service.ask("GET", "/status").json()["curator"] == "away"
    service.ask("GET", "/history", 503)
    keys = replica.settings.home.root / "keys.json"
    keys.write_bytes(b"{")
    service.ask("GET", "/status", 503, "wrong")
    keys.unlink()
