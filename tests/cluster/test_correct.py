"""A correction's way: from "that is wrong" to a better model on every replica, over HTTP."""

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from data.domains.domain import load_domains
from data.home import home_from_env
from models.registry.registry import Registry, Version
from support.inputs.sounds import tone
from support.service import Service, finished
from support.tiny import tiny_bundle

PATIENCE_S = 90


@pytest.fixture
def registry(service: Service, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """The registry of the running service, as MLflow's own page would reach it."""
    monkeypatch.setenv("TELLTALE_HOME", str(service.home))
    home = home_from_env()
    return Registry(home.tracking_uri, home.artifact_root)


def champion(admin: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = admin.get("/keywords/model-info").raise_for_status().json()
    return found


def registered_champion(registry: Registry) -> Version:
    found = registry.champion("keywords")
    assert found is not None
    return found


def correct(client: httpx.Client, clip: bytes, label: str = "nine") -> dict[str, Any]:
    found = client.post("/keywords/feedback", files={"file": clip}, data={"label": label})
    assert found.status_code == 201, found.text
    receipt: dict[str, Any] = found.json()
    return receipt


def wait_for_version(client: httpx.Client, version: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        status = client.get("/status").json()["domains"]["keywords"]
        if status["agree"] and status["champion"]["version"] == version:
            return
        time.sleep(0.1)
    raise AssertionError(f"version {version} did not come to serve: {status}")


def test_a_correction_is_learnt_and_served_by_every_replica(admin: httpx.Client) -> None:
    clip = tone(hz=400, seconds=0.4, rate_hz=8000, seed=1)  # between "two" and "three"
    receipt = correct(admin, clip, "three")
    assert receipt["state"] == "accepted"
    before = champion(admin)
    run = admin.post("/keywords/retrain", json={"mode": "teach", "reason": "a test"})
    assert run.status_code == 202, run.text
    result = finished(admin, run.json()["id"], PATIENCE_S)["result"]
    assert result["promoted"], result
    wait_for_version(admin, result["version"])
    answer = admin.post("/keywords/predict", files={"file": clip}).json()
    life = admin.get(f"/keywords/feedback/{receipt['receipt']}").json()
    assert answer["label"] == "three"
    assert answer["model"]["digest"] != before["digest"]
    assert life["version"] == result["version"] == answer["model"]["version"]
    assert life["after"]["label"] == "three"
    assert life["note"] == ""
    assert life["before"]["version"] in {before["version"], "shipped"}  # one model, two names


def test_progress_is_told_live_and_ends_with_the_run(admin: httpx.Client) -> None:
    correct(admin, tone(hz=840, seed=41), "two")
    run = admin.post("/keywords/retrain", json={"mode": "teach"}).json()
    kinds = []
    with admin.stream("GET", f"/keywords/retrain/{run['id']}/events", timeout=PATIENCE_S) as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        for line in events.iter_lines():
            if line.startswith("event: "):
                kinds.append(line.removeprefix("event: "))
            if line.startswith("data: "):
                json.loads(line.removeprefix("data: "))
    assert kinds[0] in {"queued", "started"}
    assert "verdict" in kinds
    assert kinds[-1] == "finished"


def test_a_retrain_with_nothing_new_says_so_and_makes_no_version(admin: httpx.Client) -> None:
    before = admin.get("/faults/models").json()["versions"]
    run = admin.post("/faults/retrain", json={"mode": "teach"}).json()
    with admin.stream("GET", f"/faults/retrain/{run['id']}/events", timeout=PATIENCE_S) as events:
        for _ in events.iter_lines():
            pass
    result = admin.get(f"/faults/retrain/{run['id']}").json()["result"]
    assert result["reasons"] == ["there is nothing new to learn"]
    assert admin.get("/faults/models").json()["versions"] == before


def test_only_one_retrain_of_a_domain_runs_and_it_can_be_cancelled(admin: httpx.Client) -> None:
    run = admin.post("/keywords/retrain", json={"mode": "teach"}).json()
    second = admin.post("/keywords/retrain", json={"mode": "teach"})
    assert second.status_code == 409
    assert run["id"] in second.json()["detail"]
    cancelled = admin.delete(f"/keywords/retrain/{run['id']}")
    assert cancelled.status_code == 200, cancelled.text
    assert finished(admin, run["id"], PATIENCE_S)["state"] == "cancelled"
    assert admin.delete(f"/keywords/retrain/{run['id']}").status_code == 409


def test_an_anonymous_correction_waits_until_an_admin_accepts_it(
    admin: httpx.Client, anybody: httpx.Client
) -> None:
    receipt = correct(anybody, tone(hz=500, seed=2))
    assert receipt["state"] == "quarantined"
    listed = admin.get("/keywords/feedback", params={"state": "quarantined"}).json()["feedback"]
    assert receipt["receipt"] in {row["receipt"] for row in listed}
    assert anybody.post(f"/keywords/feedback/{receipt['receipt']}/accept").status_code == 401
    accepted = admin.post(f"/keywords/feedback/{receipt['receipt']}/accept").json()
    assert accepted["state"] == "accepted"
    assert anybody.get(f"/keywords/feedback/{receipt['receipt']}").json()["state"] == "accepted"


def test_a_rejected_correction_says_why(admin: httpx.Client, anybody: httpx.Client) -> None:
    receipt = correct(anybody, tone(hz=510, seed=3))
    admin.post(
        f"/keywords/feedback/{receipt['receipt']}/reject", json={"reason": "that is a dog"}
    ).raise_for_status()
    life = anybody.get(f"/keywords/feedback/{receipt['receipt']}").json()
    assert (life["state"], life["reason"]) == ("rejected", "that is a dog")


def test_an_unknown_label_or_receipt_is_refused_by_name(anybody: httpx.Client) -> None:
    found = anybody.post("/keywords/feedback", files={"file": tone()}, data={"label": "eleven"})
    assert found.status_code == 404
    assert "zero" in found.json()["detail"]
    assert anybody.get("/keywords/feedback/nothing").status_code == 404


def test_a_clip_of_the_exam_teaches_nobody(admin: httpx.Client, datasets: Path) -> None:
    clip = (datasets / "keywords/eight/8_george_0.flac").read_bytes()
    receipt = correct(admin, clip, "eight")
    assert receipt["state"] == "rejected"
    assert "exam" in receipt["reason"]


def test_uploads_are_kept_once_and_each_file_has_its_outcome(admin: httpx.Client) -> None:
    clip = tone(hz=700, seed=4)
    files = [("files", ("a.wav", clip)), ("files", ("b.wav", clip)), ("files", ("c.txt", b"no"))]
    body = admin.post("/keywords/upload", files=files, data={"label": "one"}).json()
    assert [row["outcome"] for row in body["results"]] == ["stored", "duplicate", "refused"]
    again = admin.post("/keywords/upload", files=files[:1], data={"label": "one"}).json()
    assert [row["outcome"] for row in again["results"]] == ["duplicate"]


def test_uploads_need_a_contributor_and_a_label_for_each_file(
    admin: httpx.Client, anybody: httpx.Client
) -> None:
    files = [("files", ("a.wav", tone())), ("files", ("b.wav", tone(seed=9)))]
    assert anybody.post("/upload", files=files, data={"label": "normal"}).status_code == 401
    assert admin.post("/upload", files=files).status_code == 400
    found = admin.post("/upload", files=files, data={"labels": ["normal"]})
    assert found.status_code == 400
    assert "2 files" in found.json()["detail"]


@pytest.mark.usefixtures("restored")
def test_promote_and_roll_back_move_every_replica(
    admin: httpx.Client, registry: Registry, tmp_path: Path
) -> None:
    before = champion(admin)["version"]
    bundle = tiny_bundle(tmp_path / "tiny", load_domains(names=("keywords",))["keywords"])
    version = registry.register(bundle, run_id=None, tags={"verdict": "refused"})
    moved = admin.post(f"/keywords/models/{version.number}/promote").json()
    assert (moved["version"], moved["agree"]) == (version.number, True)
    answer = admin.post("/keywords/predict", files={"file": tone()}).json()
    assert answer["model"] == {"version": version.number, "digest": bundle.digest}
    back = admin.post("/keywords/models/rollback").json()
    assert (back["version"], back["agree"]) == (before, True)


@pytest.mark.usefixtures("restored")
def test_an_alias_moved_in_the_registry_is_followed(
    admin: httpx.Client, registry: Registry, tmp_path: Path
) -> None:
    bundle = tiny_bundle(tmp_path / "tiny", load_domains(names=("keywords",))["keywords"], seed=5)
    version = registry.register(bundle, run_id=None, tags={})
    registry.promote("keywords", version.number)
    wait_for_version(admin, version.number)


def test_a_damaged_version_leaves_the_champion_serving_and_is_reported(
    admin: httpx.Client, registry: Registry, tmp_path: Path
) -> None:
    before = champion(admin)
    bundle = tiny_bundle(tmp_path / "tiny", load_domains(names=("keywords",))["keywords"], seed=6)
    head = bundle.path / "head.safetensors"
    head.write_bytes(head.read_bytes()[:-1] + b"!")
    version = registry.register(bundle, run_id=None, tags={})
    refused = admin.post(f"/keywords/models/{version.number}/promote")
    assert refused.status_code >= 400
    assert "head.safetensors" in refused.json()["detail"]
    registry.promote("keywords", version.number)  # somebody forces it in MLflow's own page
    time.sleep(3)
    status = admin.get("/status").json()["domains"]["keywords"]
    assert champion(admin)["digest"] == before["digest"]
    assert "head.safetensors" in json.dumps([status["error"], status["replicas"]])
    registry.promote("keywords", before["version"])
    wait_for_version(admin, before["version"])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/retrain"),
        ("GET", "/retrain"),
        ("POST", "/models/1/promote"),
        ("POST", "/models/rollback"),
        ("POST", "/models/purge"),
        ("GET", "/feedback"),
    ],
)
def test_the_admins_routes_are_closed_to_others(
    anybody: httpx.Client, method: str, path: str
) -> None:
    assert anybody.request(method, path, json={} if method == "POST" else None).status_code == 401


def test_a_clip_that_is_forgotten_leaves_what_serves_and_then_the_registry(
    admin: httpx.Client, registry: Registry
) -> None:
    odd = tone(hz=420, seconds=0.6, rate_hz=8000, seed=1)  # near "four" and "zero" alike
    clip = correct(admin, odd, "zero")["clip"]
    run = admin.post("/keywords/retrain", json={"mode": "teach"}).json()
    learnt = finished(admin, run["id"], PATIENCE_S)["result"]["version"]
    told = admin.delete(f"/keywords/clips/{clip}").json()
    assert learnt in told["versions"], told
    assert "starts by itself" in told["message"]
    deadline = time.monotonic() + PATIENCE_S
    while clip in registry.memory(now_serves := registered_champion(registry)).clip_ids:
        assert time.monotonic() < deadline, admin.get("/status").json()["domains"]["keywords"]
        time.sleep(0.2)
    wait_for_version(admin, now_serves.number)
    (forgets, *_) = admin.get("/keywords/retrain").json()["runs"]
    finished(admin, forgets["id"], PATIENCE_S)
    purged = admin.post("/keywords/models/purge").json()
    assert learnt in purged["purged"]
    assert learnt not in {
        row["version"] for row in admin.get("/keywords/models").json()["versions"]
    }


def test_who_ordered_a_retrain_is_not_for_everybody(
    admin: httpx.Client, anybody: httpx.Client
) -> None:
    run = admin.post("/keywords/retrain", json={"mode": "teach", "reason": "between us"}).json()
    for client, known in ((admin, True), (anybody, False)):
        assert ("between us" in client.get("/status").text) is known
    finished(admin, run["id"], PATIENCE_S)


def test_a_receipt_belongs_to_its_domain(admin: httpx.Client) -> None:
    receipt = correct(admin, tone(hz=615, seed=21))["receipt"]
    assert admin.get(f"/faults/feedback/{receipt}").status_code == 404
    assert admin.post(f"/faults/feedback/{receipt}/accept").status_code == 404


def test_unknown_versions_runs_and_modes_are_refused_in_words(admin: httpx.Client) -> None:
    assert admin.post("/models/999/promote").status_code == 404
    assert admin.get("/retrain/none").status_code == 404
    wrong = admin.post("/retrain", json={"mode": "magic"})
    assert wrong.status_code == 400
    assert "teach" in wrong.json()["detail"]
