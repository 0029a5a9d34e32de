"""Each call that clients of five earlier systems make, and what they read of the answer."""

import csv
import io
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from support.fakes.fake_curator import Curator, Handle
from support.inputs.pictures import cracked
from support.inputs.sounds import tone
from support.replica import ADMIN, Replica, answering

CLIP = tone()
KEY = {"authorization": f"Bearer {ADMIN}"}
PHOTOGRAPH, MASK = cracked(1)
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def served(domain: str) -> Iterator[TestClient]:
    with tempfile.TemporaryDirectory() as home:
        replica = Replica(domain, Path(home))
        replica.curator = Handle(Curator(replica.domain, replica.store))
        with answering(replica) as client:
            yield client
        replica.store.close()


@pytest.fixture(scope="module")
def sounds() -> Iterator[TestClient]:
    yield from served("keywords")


@pytest.fixture(scope="module")
def walls() -> Iterator[TestClient]:
    yield from served("cracks")


def answered(found: Any, status: int = 200) -> dict[str, Any]:
    assert found.status_code == status, found.text
    body: dict[str, Any] = found.json()
    return body


def must_have_their_names(row: dict[str, Any]) -> None:
    assert row["success"] is True
    assert row["predicted_class"] == row["keyword"] == row["label"]
    assert row["all_probabilities"] == row["probabilities"]
    assert row["all_probabilities"][row["predicted_class"]] == pytest.approx(row["confidence"])
    assert row["processing_time"] == pytest.approx(row["timings_ms"]["total"] / 1e3, abs=1e-5)
    assert row["model_version"] == row["model"]["version"]
    assert MOMENT.fullmatch(row["timestamp"])


# -- keywords ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/predict", "/transcribe", "/keywords/api/predict"])
def test_a_keyword_is_answered_by_their_names(sounds: TestClient, path: str) -> None:
    found = sounds.post(f"{path}?top_k=10", files={"file": ("audio.wav", CLIP)})
    must_have_their_names(answered(found))
    assert found.headers["x-model-version"] == found.json()["model_version"]


def test_a_batch_is_answered_by_their_names(sounds: TestClient) -> None:
    files = [("files", ("audio1.wav", CLIP)), ("files", ("audio2.wav", b"no clip"))]
    headers = {"x-request-id": "r-7"}
    found = answered(sounds.post("/api/batch-predict", files=files, headers=headers))
    must_have_their_names(found["results"][0])
    assert (found["success"], found["results"][1]["success"]) == (True, False)
    assert found["results"][0]["request_id"] == "r-7"
    assert found["results"][1]["error"]["request_id"] == "r-7"


def test_a_clip_that_cannot_be_heard_is_refused_as_anywhere(sounds: TestClient) -> None:
    found = sounds.post("/transcribe", files={"file": ("audio.wav", b"this is no recording")})
    assert answered(found, 415)["title"] == "Not a supported clip"


@pytest.mark.parametrize("path", ["/health", "/api/health"])
def test_health_is_told_by_their_names(sounds: TestClient, path: str) -> None:
    sounds.post("/predict", files={"file": CLIP})
    found = answered(sounds.get(path))
    assert found["model_available"] is True
    assert found["total_predictions"] == found["predictions"] > 0
    assert found["uptime_seconds"] == found["uptime_s"]
    assert found["avg_processing_time"] >= 0


def test_metrics_and_the_model_are_told_as_json(sounds: TestClient) -> None:
    assert "telltale_unknown_total" in answered(sounds.get("/api/metrics"))["series"]
    assert answered(sounds.get("/api/model-info"))["domain"] == "keywords"


def test_the_page_is_where_it_was(sounds: TestClient) -> None:
    assert sounds.get("/").headers["location"] == "/ui"


# -- wildlife, the fault hotline, heart sounds ---------------------------------------------------


def test_a_retrain_tells_what_triggered_it(sounds: TestClient) -> None:
    order = {"trigger_reason": "New data added"}
    run = answered(sounds.post("/retrain", json=order, headers=KEY), 202)
    assert (run["mode"], run["reason"]) == ("teach", "New data added")
    assert answered(sounds.get("/status"))["domains"]["keywords"]["running"][0]["id"] == run["id"]
    sounds.delete(f"/retrain/{run['id']}", headers=KEY)


def test_a_retrain_without_a_body_is_of_the_default_mode(sounds: TestClient) -> None:
    run = answered(sounds.post("/retrain", headers=KEY), 202)
    assert (run["mode"], run["reason"]) == ("teach", "")
    sounds.delete(f"/retrain/{run['id']}", headers=KEY)


@pytest.mark.parametrize("part", ["file", "files"])
@pytest.mark.parametrize("path", ["/upload", "/api/upload"])
def test_labelled_clips_are_taken_as_file_or_files(
    sounds: TestClient, path: str, part: str
) -> None:
    sent = {part: ("leak.wav", tone(600, seed=len(path + part)))}
    found = answered(sounds.post(path, files=sent, data={"label": "two"}, headers=KEY))
    assert (found["counts"], found["results"][0]["file"]) == ({"stored": 1}, "leak.wav")


def test_many_clips_have_an_aggregate_or_are_a_table(sounds: TestClient) -> None:
    files = [("files", (name, CLIP)) for name in ("ward 3/a.wav", "b.flac")]
    found = answered(sounds.post("/batch-predict", files=files))
    assert (found["aggregate"]["clips"], found["aggregate"]["failed"]) == (2, 0)
    table = sounds.post("/batch-predict", files=files, headers={"accept": "text/csv"}).text
    assert [row["file"] for row in csv.DictReader(io.StringIO(table))] == ["ward 3/a.wav", "b.flac"]


def test_prometheus_reads_text(sounds: TestClient) -> None:
    assert "telltale_unknown_total{" in sounds.get("/metrics").text


# -- cracks --------------------------------------------------------------------------------------


def test_a_photograph_is_answered(walls: TestClient) -> None:
    assert answered(walls.get("/ping"))["status"] == "ok"
    found = answered(walls.post("/predict?evidence=true", files={"file": ("w.png", PHOTOGRAPH)}))
    assert found["label"] in {"crack", "no crack"}
    assert found["evidence"]["mask_png"]


def test_a_photograph_that_was_answered_badly_waits_for_its_mask(walls: TestClient) -> None:
    alone = {"file": ("wall.png", PHOTOGRAPH)}
    for headers in ({}, KEY):  # an admin's word has no mask either
        kept = answered(walls.post("/save-for-retrain", files=alone, headers=headers), 201)
        assert (kept["state"], kept["label"]) == ("quarantined", "")
        assert "waits for its mask" in kept["reason"]
    path = f"/feedback/{kept['receipt']}"
    (clip,) = answered(walls.get("/clips?waiting=true", headers=KEY))["clips"]
    assert (clip["state"], clip["label"]) == ("quarantined", None)
    refused = answered(walls.post(f"{path}/accept", headers=KEY), 409)
    assert "has no label yet" in refused["detail"]

    both = {**alone, "mask": ("mask.png", MASK)}
    taught = answered(walls.post("/save-for-retrain", files=both, headers=KEY), 201)
    assert (taught["state"], taught["label"]) == ("accepted", "crack")
    settled = answered(walls.get(path))
    assert (settled["state"], settled["label"]) == ("accepted", "crack")
    assert settled["mask"] == taught["mask"]


def test_a_recording_is_not_kept_without_its_label(sounds: TestClient) -> None:
    found = answered(sounds.post("/save-for-retrain", files={"file": CLIP}), 400)
    assert "no part named 'label'" in found["detail"]
