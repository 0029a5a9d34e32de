"""A clip's way, over HTTP: what a program that posts clips relies on."""

import csv
import io
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from data.domains.domain import load_domains
from support.inputs.sounds import tone

DOMAINS = ("faults", "keywords")


def test_a_form_and_a_raw_body_get_the_same_answer(anybody: httpx.Client) -> None:
    clip = tone()
    form = anybody.post("/predict", files={"file": ("clip.wav", clip)})
    raw = anybody.post("/predict", content=clip, headers={"content-type": "audio/wav"})
    assert form.status_code == raw.status_code == 200, form.text
    assert form.json()["probabilities"] == raw.json()["probabilities"]


def test_an_answer_names_label_confidence_model_and_request(anybody: httpx.Client) -> None:
    found = anybody.post(
        "/predict", files={"file": tone(seconds=1.5)}, headers={"X-Request-ID": "mine-1"}
    )
    body = found.json()
    probabilities = body["probabilities"]
    assert body["label"] == next(iter(probabilities))
    assert body["confidence"] == max(probabilities.values())
    assert sum(probabilities.values()) == pytest.approx(1, abs=1e-4)
    assert set(probabilities) == set(load_domains(names=("faults",))["faults"].labels)
    assert body["request_id"] == found.headers["x-request-id"] == "mine-1"
    assert body["model"]["version"] == found.headers["x-model-version"]
    assert body["clip"]["duration_s"] == pytest.approx(1.5, abs=0.01)
    assert body["evidence"] is None


def test_top_k_and_evidence_are_given_when_asked_for(anybody: httpx.Client) -> None:
    body = anybody.post(
        "/predict", params={"top_k": 2, "evidence": True}, files={"file": tone(seconds=7)}
    ).json()
    evidence = body["evidence"]
    assert len(body["probabilities"]) == 2
    assert len(evidence["scores"]) == len(evidence["start_s"]) > 5
    assert len(evidence["scores"][0]) == len(evidence["labels"]) == 4
    assert max(evidence["start_s"]) < 7


@pytest.mark.parametrize("path", ["/predict", "/api/predict", "/faults/predict"])
def test_the_first_domain_answers_at_the_root_and_under_its_name(
    anybody: httpx.Client, path: str
) -> None:
    assert anybody.post(path, files={"file": tone()}).json()["domain"] == "faults"


@pytest.mark.parametrize("path", ["/keywords/predict", "/keywords/api/predict"])
def test_the_other_domains_answer_under_their_names(anybody: httpx.Client, path: str) -> None:
    assert anybody.post(path, files={"file": tone()}).json()["domain"] == "keywords"


@pytest.mark.parametrize(
    ("clip", "status"),
    [
        (b"", 422),
        (tone()[:44], 422),
        (b"RIFF\x00\x00\x00\x00WAVEgarbage", 422),
        (b"<html>not a sound</html>", 415),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, 415),
        (b"x" * 21_000_000, 413),
    ],
)
def test_a_bad_clip_gets_a_sentence_and_the_right_status(
    anybody: httpx.Client, clip: bytes, status: int
) -> None:
    found = anybody.post("/predict", files={"file": ("clip.wav", clip)})
    assert found.status_code == status, found.text
    assert found.headers["content-type"] == "application/problem+json"
    assert len(found.json()["detail"]) > 20
    assert "Traceback" not in found.text


def test_a_bad_clip_fails_alone_among_many(anybody: httpx.Client) -> None:
    files = [("files", ("good.wav", tone())), ("files", ("bad.wav", b"no sound"))] * 3
    body = anybody.post("/batch-predict", files=files).json()
    assert [row["file"] for row in body["results"]] == ["good.wav", "bad.wav"] * 3
    assert [("error" in row) for row in body["results"]] == [False, True] * 3
    assert body["results"][1]["error"]["status"] == 415
    assert body["aggregate"]["clips"] == 6
    assert body["aggregate"]["failed"] == 3


def test_many_clips_come_back_as_a_table_when_asked_for(anybody: httpx.Client) -> None:
    found = anybody.post(
        "/batch-predict", files=[("files", ("a.wav", tone()))], headers={"accept": "text/csv"}
    )
    rows = list(csv.DictReader(io.StringIO(found.text)))
    assert rows[0]["file"] == "a.wav"
    assert rows[0]["label"]


def test_concurrent_clips_get_their_own_answers(anybody: httpx.Client) -> None:
    clips = [tone(hz=200 + 150 * i, seconds=0.5 + 0.1 * i) for i in range(8)]

    def ask(clip: bytes) -> dict[str, float]:
        body = anybody.post("/predict", files={"file": clip}).json()
        return {**body["probabilities"], "duration_s": body["clip"]["duration_s"]}

    alone = [ask(clip) for clip in clips]
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(ask, clips * 5))
    # A batch of another size may move the last of the six digits that are answered.
    assert together == [pytest.approx(answer, abs=2e-6) for answer in alone * 5]


@pytest.mark.parametrize("seconds", ["0", "-1", "0.00001"])
def test_a_passed_deadline_is_not_computed(anybody: httpx.Client, seconds: str) -> None:
    headers = {"X-Deadline-Seconds": seconds}
    found = anybody.post("/predict", files={"file": tone()}, headers=headers)
    assert found.status_code == 504
    assert "deadline" in found.json()["detail"]


@pytest.mark.parametrize(
    "params", [{"top_k": 0}, {"top_k": "many"}, {"evidence": "maybe"}, {"versions": "3"}]
)
def test_a_wrong_or_unknown_parameter_is_refused_by_name(
    anybody: httpx.Client, params: dict[str, str]
) -> None:
    found = anybody.post("/predict", params=params, files={"file": tone()})
    assert found.status_code == 400
    assert next(iter(params)) in found.json()["detail"]


@pytest.mark.parametrize("seconds", ["nan", "inf", "soon"])
def test_a_deadline_that_is_no_number_is_refused(anybody: httpx.Client, seconds: str) -> None:
    headers = {"X-Deadline-Seconds": seconds}
    found = anybody.post("/predict", files={"file": tone()}, headers=headers)
    assert found.status_code == 400
    assert "number of seconds" in found.json()["detail"]


def test_a_wrong_key_is_refused_even_for_predicting(anybody: httpx.Client) -> None:
    found = anybody.post(
        "/predict", files={"file": tone()}, headers={"Authorization": "Bearer wrong"}
    )
    assert found.status_code == 401


@pytest.mark.parametrize("path", ["/health", "/ping", "/ready", "/status", "/domains", "/docs"])
@pytest.mark.parametrize("prefix", ["", "/faults", "/keywords"])
def test_every_domain_has_the_service_routes(anybody: httpx.Client, prefix: str, path: str) -> None:
    assert anybody.get(prefix + path).status_code == 200


def test_the_card_of_the_champion_is_open_to_read(anybody: httpx.Client) -> None:
    for name in DOMAINS:
        card = anybody.get(f"/{name}/model-info").json()["card"]
        assert card["licence"]
        assert 0 < card["metrics"]["exam"]["macro_f1"] <= 1


def test_status_names_champions_and_replicas_that_agree(anybody: httpx.Client) -> None:
    status = anybody.get("/status").json()
    for name in DOMAINS:
        domain = status["domains"][name]
        assert domain["agree"]
        assert {row["digest"] for row in domain["replicas"]} == {domain["champion"]["digest"]}
        assert domain["states"]["RUNNING"] == len(domain["replicas"])


def test_predictions_are_counted_for_prometheus_and_as_json(anybody: httpx.Client) -> None:
    for name in DOMAINS:
        anybody.post(f"/{name}/predict", files={"file": tone()})
    deadline = time.monotonic() + 30  # the curator asks replicas at each beat
    counted: set[str] = set()
    while counted < set(DOMAINS) and time.monotonic() < deadline:
        time.sleep(0.5)
        found = anybody.get("/api/metrics", headers={"accept": "application/json"}).json()
        rows = found["series"].get("telltale_predictions_total", [])
        counted = {row["labels"]["domain"] for row in rows if row["value"] > 0}
    assert counted == set(DOMAINS)
    assert found["traffic"].keys() == set(DOMAINS)
    text = anybody.get("/metrics").text
    assert "telltale_model_info" in text
    assert {line[:9] for line in text.splitlines() if line[0] != "#"} == {"telltale_"}


def test_a_real_clip_is_recognised(anybody: httpx.Client, datasets: Path) -> None:
    clip = (datasets / "keywords/seven/7_jackson_0.flac").read_bytes()
    body = anybody.post("/keywords/predict", files={"file": clip}).json()
    assert body["label"] == "seven"
    assert body["confidence"] > 0.5
