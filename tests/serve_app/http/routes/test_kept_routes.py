"""kept_routes.py: answers are kept, people are asked about them, and versions compared by them."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from data.domains.domain import of_sounds
from data.domains.sections import KeepSpec
from serve_app.http.predictions import AT_ONCE
from serve_app.replica.champion import LoadedVersion, load_served
from serve_app.replica.prediction_log import PredictionLog
from serve_app.replica.scoring import Item, ScoredClip, answer_batch
from support.fakes.fake_curator import Curator, Handle
from support.inputs.annotated import interface, task
from support.inputs.sounds import tone
from support.replica import ADMIN, Replica, answering
from support.tiny import tiny_bundle

KEY = {"authorization": f"Bearer {ADMIN}"}
ALL = KeepSpec(sample=1.0, unsure=True, unknown=True, clips=True, days=1)


class Keeping(Replica):
    """Keeps all answers; versions 1 and 2 always say one and seven."""

    def __init__(self, folder: Path) -> None:
        super().__init__("keywords", folder)
        self.domain = of_sounds(self.domain).model_copy(update={"keep": ALL})
        self.counted: list[str] = []
        self.prediction_log = PredictionLog(ALL, lambda: self.store, self.counted.append)
        self.curator = Handle(Curator(self.domain, self.store))
        self.others = {
            number: self._version(folder / number, number, label)
            for number, label in (("1", "one"), ("2", "seven"))
        }

    def _version(self, folder: Path, number: str, label: str) -> LoadedVersion:
        tiny_bundle(folder, self.domain, always=label)
        return load_served(folder, number)

    async def predict_on(
        self,
        version: str,
        raw: bytes,
        caller: str = "",
        deadline: float = float("inf"),
        patience_s: float | None = None,
    ) -> ScoredClip:
        (found,) = answer_batch(self.others[version], [Item(raw, 0.0, deadline)])
        assert isinstance(found, ScoredClip), found
        return found


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeping]:
    replica = Keeping(tmp_path_factory.mktemp("home"))
    yield replica
    replica.store.close()


@pytest.fixture(scope="module")
def client(replica: Keeping) -> Iterator[TestClient]:
    with answering(replica) as client:
        assert client.post("/predict", files={"file": tone(500)}).status_code == 200
        files = [("files", ("a.wav", tone(700))), ("files", ("b.wav", tone(900)))]
        assert client.post("/batch-predict", files=files).status_code == 200
        assert replica.prediction_log is not None
        replica.prediction_log.flush()
        yield client


def test_what_was_answered_is_kept_with_its_clip(client: TestClient, replica: Keeping) -> None:
    found = client.get("/predictions", headers=KEY).json()["predictions"]
    assert replica.counted == ["kept"] * len(found) == ["kept"] * 3
    answered = client.post("/predict", files={"file": tone(500)}).json()
    first = found[-1]
    assert (first["label"], first["version"]) == (answered["label"], answered["model"]["version"])
    assert first["confidence"] == pytest.approx(answered["confidence"])
    raw = client.get(f"/predictions/{first['id']}/content", headers=KEY)
    assert raw.content == tone(500)
    assert client.get("/predictions").status_code == 401


def test_one_that_people_are_asked_about_becomes_a_correction(client: TestClient) -> None:
    asked = client.get("/predictions?order=ask&limit=2", headers=KEY).json()["predictions"]
    assert len(asked) == 2
    one = asked[0]["id"]
    told = client.post(f"/predictions/{one}/label", headers=KEY, json={"label": "three"})
    assert (told.status_code, told.json()["state"]) == (201, "accepted")
    assert client.get(f"/clips/{asked[0]['clip']}", headers=KEY).json()["label"] == "three"
    left = client.get("/predictions?order=ask", headers=KEY).json()["predictions"]
    assert one not in [row["id"] for row in left]
    listed = client.get("/predictions", headers=KEY).json()["predictions"]
    assert {row["id"]: row["receipt"] for row in listed}[one] == told.json()["receipt"]


def test_one_is_asked_about_again_on_any_version(client: TestClient) -> None:
    kept = client.get("/predictions", headers=KEY).json()["predictions"][-1]
    place = f"/predictions/{kept['id']}/replay"
    same = client.get(place, headers=KEY).json()
    assert (same["kept"]["id"], same["now"]["label"]) == (kept["id"], kept["label"])
    assert (same["now"]["model"]["version"], same["flips"]) == (kept["version"], False)
    other = client.get(f"{place}?version=2", headers=KEY).json()
    assert (other["now"]["label"], other["now"]["model"]["version"]) == ("seven", "2")
    assert other["flips"] == (kept["label"] != "seven" or kept["unknown"])
    refused = client.get("/predictions/999/replay", headers=KEY)
    assert (refused.status_code, "no prediction 999" in refused.json()["detail"]) == (404, True)


def test_two_versions_are_compared_by_what_was_asked(client: TestClient) -> None:
    found = client.get("/models/1/diff/2", headers=KEY).json()
    assert (found["replayed"], found["failed"], len(found["flips"])) == (3, 0, 3)
    assert (found["flips"][0]["a"]["label"], found["flips"][0]["b"]["label"]) == ("one", "seven")
    assert client.get("/models/2/diff/2?last=1", headers=KEY).json()["flips"] == []
    refused = client.get("/models/1/diff/9", headers=KEY)
    assert refused.status_code == 404
    assert "no version '9'" in refused.json()["detail"]


@pytest.mark.parametrize("by", ["inference protocol", "Label Studio"])
def test_what_other_protocols_ask_is_answered_by_any_version_and_kept(
    tmp_path: Path, by: str
) -> None:
    replica = Keeping(tmp_path)
    data = [base64.b64encode(tone(500)).decode()]
    tensor = {"name": "clip", "datatype": "BYTES", "shape": [1], "data": data}
    order = {"tasks": [task(tone(500))], "label_config": interface(replica.domain.labels)}
    on_two = {"X-Model-Version": "2"}
    with answering(replica) as client:
        if by == "inference protocol":
            for path, headers in (("", on_two), ("/versions/2", {})):
                where = f"/v2/models/keywords{path}/infer"
                found = client.post(where, json={"inputs": [tensor]}, headers=headers).json()
                assert (found["model_version"], found["outputs"][0]["data"]) == ("2", ["seven"])
        else:
            (found,) = client.post("/predict", json=order, headers=on_two).json()["results"]
            assert found["model_version"] == "2"
        assert replica.prediction_log is not None
        replica.prediction_log.flush()
        kept = client.get("/predictions", headers=KEY).json()["predictions"]
    replica.store.close()
    assert {(row["label"], row["version"]) for row in kept} == {("seven", "2")}


def refusal_half_way(client: TestClient, labels: tuple[str, ...], how: str) -> Response:
    """Of a request whose first clip is well."""
    if how == "a kept clip that is gone":  # behind as many as are answered at once
        tasks = [task(tone(500))] * AT_ONCE + [task(f"/clips/{'0' * 64}/content")]
        order = {"tasks": tasks, "label_config": interface(labels)}
        return client.post("/predict", json=order, headers=KEY)
    clips = [tone(500), b"no sound" if how == "a clip that is none" else tone(700)]
    data = [base64.b64encode(clip).decode() for clip in clips]
    order = {"inputs": [{"name": "clip", "datatype": "BYTES", "shape": [2], "data": data}]}
    if how == "an output that is none":
        order["outputs"] = [{"name": "mask"}]
    return client.post("/v2/models/keywords/infer", json=order)


@pytest.mark.parametrize(
    "how", ["a clip that is none", "an output that is none", "a kept clip that is gone"]
)
def test_of_a_request_that_is_refused_half_way_nothing_is_kept(
    client: TestClient, replica: Keeping, how: str
) -> None:
    before = list(replica.counted)
    refused = refusal_half_way(client, replica.domain.labels, how)
    assert 400 <= refused.status_code < 500, refused.text
    assert replica.prediction_log is not None
    replica.prediction_log.flush()
    assert replica.counted == before
