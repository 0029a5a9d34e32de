"""predict_routes.py: the answer is the model's own, for the domain that was asked, in time."""

import csv
import gzip
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from data.domains.domain import AudioDomain, of_sounds
from data.errors import UnknownName
from data.media.prepare import prepare
from serve_app.replica.champion import load_served
from serve_app.replica.scoring import Item, ScoredClip, answer_batch
from support.inputs.sounds import tone
from support.replica import Replica, answering
from support.tiny import tiny_bundle

README = Path(__file__).parents[4] / "README.md"
CLIPS = [tone(300), tone(900), tone(2500)]


@pytest.fixture(scope="module")
def replica() -> Iterator[Replica]:
    with tempfile.TemporaryDirectory() as home:
        yield Replica("keywords", Path(home))


@pytest.fixture(scope="module")
def client(replica: Replica) -> Iterator[TestClient]:
    with answering(replica) as found:
        yield found


@pytest.mark.parametrize("label", ["zero", "seven"])
def test_the_label_is_the_one_that_the_model_gives(
    client: TestClient,
    replica: Replica,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    label: str,
) -> None:
    tiny_bundle(tmp_path / "bundle", replica.domain, always=label)
    monkeypatch.setattr(replica, "served", load_served(tmp_path / "bundle", "7"))
    found = client.post("/predict", files={"file": CLIPS[0]}).json()
    assert (found["label"], found["model"]["version"]) == (label, "7")
    assert next(iter(found["probabilities"])) == label


def test_confidence_is_the_probability_that_the_model_gives_the_label(
    client: TestClient, replica: Replica
) -> None:
    served = replica.served
    confidences = set()
    for raw in CLIPS:
        (scores,) = served.model.predict([prepare(raw, replica.domain).features])
        wanted = dict(zip(served.bundle.labels, scores.probabilities.tolist(), strict=True))
        found = client.post("/predict", files={"file": raw}).json()
        assert found["label"] == max(wanted, key=lambda label: wanted[label])
        assert found["probabilities"] == pytest.approx(wanted, abs=1e-4)
        assert found["confidence"] == pytest.approx(wanted[found["label"]], abs=1e-4)
        confidences.add(found["confidence"])
    assert len(confidences) == len(CLIPS)


def test_a_clip_that_is_cut_off_is_answered_with_a_warning(client: TestClient) -> None:
    whole, cut = (
        client.post("/predict", files={"file": raw}).json()["clip"]
        for raw in (CLIPS[0], CLIPS[0][: len(CLIPS[0]) // 2])
    )
    assert "warnings" not in whole
    assert cut["warnings"][0].startswith("the file says that it lasts 1.0 s, but only 0.5 s")


def test_a_table_tells_of_each_clip_its_warnings_and_its_request(client: TestClient) -> None:
    clips = (CLIPS[0], CLIPS[0][: len(CLIPS[0]) // 2], b"no sound")
    asked = {"Accept": "text/csv", "X-Request-ID": "night-7"}
    found = client.post("/batch-predict", files=[("files", raw) for raw in clips], headers=asked)
    whole, cut, wrong = csv.DictReader(found.text.splitlines())
    assert {row["request_id"] for row in (whole, cut, wrong)} == {"night-7"}
    assert (whole["warnings"], wrong["warnings"]) == ("", "")
    assert cut["warnings"].startswith("the file says that it lasts 1.0 s, but only 0.5 s")
    shares = {name: whole[name] for name in whole if name.startswith("probability ")}
    assert shares[f"probability {whole['label']}"] == whole["confidence"]
    assert sum(map(float, shares.values())) == pytest.approx(1, abs=1e-4)
    assert {wrong[name] for name in shares} == {""}


def test_clips_of_one_form_are_answered_as_each_alone(client: TestClient) -> None:
    form = [("files", (f"{n}.wav", raw)) for n, raw in enumerate(CLIPS)]
    many = client.post("/batch-predict", files=form).json()
    alone = [client.post("/predict", files={"file": raw}).json() for raw in CLIPS]
    assert [row["label"] for row in many["results"]] == [row["label"] for row in alone]
    confidences = [row["confidence"] for row in alone]
    assert [row["confidence"] for row in many["results"]] == pytest.approx(confidences, abs=1e-4)
    mean = sum(confidences) / len(confidences)
    assert many["aggregate"]["mean_confidence"] == pytest.approx(mean, abs=1e-4)


@pytest.mark.parametrize(
    ("seconds", "status"), [("0", 504), ("-1", 504), ("1e-6", 504), ("60", 200)]
)
def test_an_answer_that_would_come_too_late_is_not_given(
    client: TestClient, seconds: str, status: int
) -> None:
    asked = {"X-Deadline-Seconds": seconds}
    assert client.post("/predict", files={"file": CLIPS[0]}, headers=asked).status_code == status


@pytest.mark.parametrize("top_k", [1, 3, 999])
def test_the_likeliest_labels_are_answered(client: TestClient, top_k: int) -> None:
    found = client.post("/predict", params={"top_k": top_k}, files={"file": CLIPS[0]}).json()
    chances = list(found["probabilities"].values())
    assert len(chances) == min(top_k, 10)
    assert chances == sorted(chances, reverse=True)


def test_a_domain_answers_under_the_prefix_that_it_is_listed_with(client: TestClient) -> None:
    (listed,) = client.get("/domains").json()["domains"]
    assert listed["prefix"] == "/keywords"
    assert (listed["live"], listed["keeps_predictions"], listed["history"]) == (True, False, True)
    assert listed["examples"] == ["word", "other_word", "knocking"]
    for prefix in ("", "/api", listed["prefix"], listed["prefix"] + "/api"):
        found = client.post(f"{prefix}/predict", files={"file": CLIPS[0]})
        assert found.json()["domain"] == listed["name"]
        assert client.get(f"{prefix}/model-info").json()["domain"] == listed["name"]
    assert client.post("/faults/predict", files={"file": CLIPS[0]}).status_code == 404


def test_the_readme_shows_an_answer_as_it_is(client: TestClient) -> None:
    shown = json.loads(README.read_text(encoding="utf-8").split("```json")[1].split("```")[0])
    found = client.post("/predict", files={"file": CLIPS[0]}).json()
    assert shown.keys() == found.keys()
    for part in ("model", "clip", "timings_ms"):
        assert shown[part].keys() == found[part].keys()


def test_another_version_is_asked_for_by_its_number(client: TestClient) -> None:
    found = client.post("/predict?version=shipped", files={"file": CLIPS[0]})
    assert found.headers["x-model-version"] == found.json()["model"]["version"] == "shipped"
    unknown = client.post("/predict?version=99", files={"file": CLIPS[0]})
    assert (unknown.status_code, "no version '99'" in unknown.text) == (404, True)


def test_a_trial_splits_callers_between_versions_and_each_stays_with_his(
    client: TestClient, replica: Replica, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_bundle(tmp_path / "bundle", replica.domain, always="seven")
    trial = load_served(tmp_path / "bundle", "7")

    async def predict_on(version: str, raw: bytes, *of_whom: object) -> ScoredClip:
        if version == "7":
            (found,) = answer_batch(trial, [Item(raw, 0.0, float("inf"))])
            assert isinstance(found, ScoredClip), found
            return found
        if version == replica.served.version:
            return await replica.predict(raw)
        raise UnknownName(f"no version {version}")

    def asked(**headers: str) -> str:
        found = client.post("/predict", files={"file": CLIPS[0]}, headers=headers)
        return str(found.json()["model"]["version"])

    champion = replica.served.version
    monkeypatch.setattr(replica, "predict_on", predict_on)
    monkeypatch.setattr(replica, "domain", split(replica, "7", 0.5))
    sessions = [{"X-Session-ID": f"s{number}"} for number in range(20)]
    found = [asked(**session) for session in sessions]
    assert 4 < found.count("7") < 16
    assert found == [asked(**session) for session in sessions]
    assert len({asked() for _ in range(3)}) == 1, "without a session the caller counts"
    for version in ("7", champion):
        assert {asked(**s, **{"X-Model-Version": version}) for s in sessions[:6]} == {version}
    monkeypatch.setattr(replica, "domain", split(replica, "9", 1.0))
    assert asked() == champion, "one that is not there leaves nobody without an answer"


def split(replica: Replica, version: str, share: float) -> AudioDomain:
    serving = replica.domain.serving.model_copy(update={"split": ((version, share),)})
    return of_sounds(replica.domain).model_copy(update={"serving": serving})


def test_many_clips_are_asked_as_one_is(client: TestClient) -> None:
    files = [("files", clip) for clip in CLIPS]
    found = client.post("/batch-predict?top_k=2", files=files).json()["results"]
    assert [len(row["probabilities"]) for row in found] == [2, 2, 2]
    for wish, words in (("top_k=zzz", "top_k"), ("size=3", "size"), ("evidence=1", "/predict")):
        refused = client.post(f"/batch-predict?{wish}", files=files)
        assert (refused.status_code, words in refused.json()["detail"]) == (400, True)
    unknown = client.post("/batch-predict", files=files, headers={"x-model-version": "99"}).json()
    assert [row["error"]["status"] for row in unknown["results"]] == [404, 404, 404]


@pytest.mark.parametrize("path", ["/predict", "/v2/models/keywords/infer"])
def test_json_that_is_compressed_is_refused_in_words(client: TestClient, path: str) -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    found = client.post(path, content=gzip.compress(b"{}"), headers=headers)
    words = found.json().get("detail") or found.json()["error"]
    assert (found.status_code, "'gzip'" in words) == (415, True)
