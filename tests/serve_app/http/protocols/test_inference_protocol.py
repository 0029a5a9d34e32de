"""inference_protocol.py: the stock client of Triton gets the answers that /predict gives."""

import base64
import io
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from tritonclient import http as triton
from tritonclient.utils import InferenceServerException

from data.domains.domain import of_sounds
from models.bundle import Bundle
from serve_app.http.api import build_api
from support.fakes.fake_curator import Curator, Handle
from support.inputs.pictures import cracked
from support.inputs.sounds import tone
from support.local_server import Server
from support.replica import ADMIN, Replica, answering
from support.tiny import tiny_bundle

CLIPS = [tone(300, rate_hz=8_000), tone(900, rate_hz=8_000)]
KEYED = {"Authorization": f"Bearer {ADMIN}"}
INFER = "/v2/models/keywords/infer"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as home:
        door: Any = build_api(Replica("keywords", Path(home)))  # type: ignore[arg-type]
        with Server(door) as url:
            yield url


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[Any]:
    found = triton.InferenceServerClient(address.removeprefix("http://") + "/keywords")
    yield found
    found.close()


def of_clips(clips: list[bytes]) -> Any:
    sent = triton.InferInput("clip", [len(clips)], "BYTES")
    return sent.set_data_from_numpy(np.array(clips, np.object_))


def of_waveforms(waveforms: NDArray[np.float32], binary: bool = True) -> Any:
    sent = triton.InferInput("waveform", list(waveforms.shape), "FP32")
    return sent.set_data_from_numpy(waveforms, binary_data=binary)


def predicted(address: str, clip: bytes) -> dict[str, Any]:
    found: dict[str, Any] = httpx.post(f"{address}/predict", files={"file": clip}).json()
    return found


def test_a_client_learns_what_there_is_to_ask(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    described = client.get_model_metadata("keywords")
    (version,) = described["versions"]
    assert client.is_model_ready("keywords")
    assert client.is_model_ready("keywords", version)
    assert client.get_model_metadata("keywords", version) == described
    assert [(t["name"], t["datatype"]) for t in described["inputs"]] == [
        ("clip", "BYTES"),
        ("waveform", "FP32"),
    ]
    assert not client.is_model_ready("faults")
    assert not client.is_model_ready("keywords", "99")


def test_a_version_is_described_by_its_own_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = Replica("keywords", tmp_path)
    fewer = of_sounds(replica.domain).model_copy(update={"labels": ("no", "yes")})
    versions = {"7": tiny_bundle(tmp_path / "bundle", fewer)}
    replica.curator = Handle(Curator(replica.domain, replica.store))
    ours = replica.described

    async def known(version: str, caller: str = "") -> Bundle:
        return versions.get(version) or await ours(version, caller)

    monkeypatch.setattr(replica, "described", known)
    with answering(replica) as client:
        described = client.get("/v2/models/keywords/versions/7").json()
        assert client.get("/v2/models/keywords/versions/7/ready").json()["ready"]
        served = client.get("/v2/models/keywords", headers=KEYED).json()
        anonymous = client.get("/v2/models/keywords").json()
        wrong = [
            client.get(f"/v2/models/keywords{path}", headers={"Authorization": "Bearer tt_wrong"})
            for path in ("", "/ready", "/versions/7", "/versions/7/ready")
        ]
        unknown = client.get("/v2/models/keywords/versions/99")
    replica.store.close()
    shapes = {output["name"]: output["shape"] for output in described["outputs"]}
    assert (described["versions"], shapes["labels"]) == (["7"], [2])
    assert shapes["probabilities"] == [-1, 2]
    assert served["outputs"][-1]["shape"] == [10]
    assert served["versions"] == ["shipped", "2", "1"]
    assert anonymous == {**served, "versions": ["shipped"]}, "the list is a viewer's, as /models is"
    assert [found.status_code for found in wrong] == [401] * 4
    assert (unknown.status_code, "no version '99'" in unknown.json()["error"]) == (404, True)


def test_files_are_answered_as_predict_answers_them(client: Any, address: str) -> None:
    found = client.infer("keywords", [of_clips(CLIPS)], request_id="r-7")
    labels = [label.decode() for label in found.as_numpy("labels")]
    wanted = [predicted(address, clip) for clip in CLIPS]
    assert [label.decode() for label in found.as_numpy("label")] == [w["label"] for w in wanted]
    assert found.as_numpy("confidence") == pytest.approx(
        [w["confidence"] for w in wanted], abs=1e-4
    )
    for row, one in zip(found.as_numpy("probabilities"), wanted, strict=True):
        assert dict(zip(labels, row, strict=True)) == pytest.approx(one["probabilities"], abs=1e-4)
    assert found.as_numpy("unknown").tolist() == [w["unknown"] for w in wanted]
    head = found.get_response()
    assert (head["id"], head["model_version"]) == ("r-7", wanted[0]["model"]["version"])


@pytest.mark.parametrize("binary", [True, False])
def test_waveforms_are_answered_as_their_files_are(client: Any, address: str, binary: bool) -> None:
    waveforms = np.stack([soundfile.read(io.BytesIO(clip), dtype="float32")[0] for clip in CLIPS])
    sent = of_waveforms(waveforms[:, :800] if not binary else waveforms, binary)
    wanted = [triton.InferRequestedOutput("label", binary_data=binary)]
    found = client.infer("keywords", [sent], outputs=wanted)
    assert [output["name"] for output in found.get_response()["outputs"]] == ["label"]
    if binary:
        labels = [label.decode() for label in found.as_numpy("label")]
        assert labels == [predicted(address, clip)["label"] for clip in CLIPS]


def test_json_alone_will_do(address: str) -> None:
    data = [base64.b64encode(CLIPS[0]).decode()]
    tensor = {"name": "clip", "datatype": "BYTES", "shape": [1], "data": data}
    found = httpx.post(address + INFER, json={"inputs": [tensor]})
    outputs = {output["name"]: output["data"] for output in found.json()["outputs"]}
    assert outputs["label"] == [predicted(address, CLIPS[0])["label"]]
    assert found.headers["content-type"] == "application/json"


def test_a_photograph_is_asked_about_too(tmp_path: Path) -> None:
    data = [base64.b64encode(cracked(seed=1)[0]).decode()]
    tensor = {"name": "clip", "datatype": "BYTES", "shape": [1], "data": data}
    with answering(Replica("cracks", tmp_path)) as client:
        found = client.post("/v2/models/cracks/infer", json={"inputs": [tensor]})
    assert found.json()["outputs"][0]["data"] == ["crack"]


def test_what_was_wrong_is_told_by_the_client(client: Any) -> None:
    with pytest.raises(InferenceServerException, match="begins with none of the known signs|415"):
        client.infer("keywords", [of_clips([b"no recording at all"])])
    with pytest.raises(InferenceServerException, match="no sound"):
        client.infer("keywords", [of_waveforms(np.full((1, 8000), np.nan, np.float32))])
    with pytest.raises(InferenceServerException, match="there is no model 'faults'"):
        client.infer("faults", [of_clips(CLIPS)])
    with pytest.raises(InferenceServerException, match="no version"):
        client.infer("keywords", [of_clips(CLIPS)], model_version="99")
    with pytest.raises(InferenceServerException, match="send one"):
        client.infer("keywords", [of_clips(CLIPS), of_clips(CLIPS)])
    with pytest.raises(InferenceServerException, match="there is no output 'mask'"):
        client.infer("keywords", [of_clips(CLIPS)], outputs=[triton.InferRequestedOutput("mask")])
    with pytest.raises(InferenceServerException, match="send 1 to 200"):
        client.infer("keywords", [of_waveforms(np.zeros((300, 2), np.float32))])


def tensor(**changed: Any) -> bytes:
    row = {"name": "clip", "datatype": "BYTES", "shape": [1], "data": ["AAAA"]}
    return json.dumps({"inputs": [row | changed]}).encode()


NESTED: Any = "AAAA"
for _ in range(400):
    NESTED = [NESTED]
MANY = json.dumps({"inputs": [], "outputs": [{"name": "probabilities"}] * 9_000}).encode()
BINARY = {"parameters": {"binary_data_size": 8}, "data": None}
DAMAGED: list[tuple[bytes, str | None, str]] = [
    (b"{", None, "not JSON"),
    (b"[]", None, "valid dictionary"),
    (b'{"inputs": []}', None, "0 inputs"),
    (b"[" * 100_000, None, "lists"),
    (tensor(data=[[]] * 20_000), None, "lists"),
    (tensor(data=["AAAA"] * 200_000), None, "and other data"),
    (MANY, None, "outputs"),
    (tensor(shape=[2]), None, "and other data"),
    (tensor(shape=[]), None, "inputs.0.shape"),
    (tensor(shape=[9] * 100_000), None, "inputs.0.shape"),
    (tensor(shape=[100_000]), None, "send 1 to 200"),
    (tensor(shape=[200], data=[""] * 300_000), None, "and other data"),
    (tensor(data=NESTED), None, "base64"),
    (tensor(name="waveform", datatype="FP32", shape=[2**62, 2**62], data=[1]), None, "no FP32"),
    (tensor(name="waveform", datatype="FP32", data=NESTED), None, "no FP32"),
    (tensor(data=["%%"]), None, "base64"),
    (tensor(data=[7]), None, "base64"),
    (tensor(data=None), None, "and other data"),
    (tensor(name="sound"), None, "there is no input 'sound'"),
    (tensor(datatype="FP64"), None, "FP64"),
    (tensor(name="waveform", datatype="FP32", data=[["a"]]), None, "no FP32"),
    (tensor(name="waveform", datatype="FP32", shape=[0], data=[]), None, "clips came"),
    (tensor(name="waveform", datatype="FP32", shape=[-1, 0], data=[]), None, "FP32"),
    (tensor(**BINARY), None, "bytes are left"),
    (tensor(**BINARY), "9999999", "at most the body's"),
    (tensor(**BINARY), "-1", "at most the body's"),
    (tensor(**BINARY) + b"\xff\xff\xff\xff1234", "len", "ends within an element"),
    (tensor(parameters={"binary_data_size": "8"}), None, "binary_data_size"),
    (b" " * (4 * 1024**2 + 1), None, "as binary data"),
]


@pytest.mark.parametrize(("body", "length", "words"), DAMAGED)
def test_what_is_no_tensor_is_refused_in_words(
    address: str, body: bytes, length: str | None, words: str
) -> None:
    length = str(len(body) - 8) if length == "len" else length
    headers = {} if length is None else {"Inference-Header-Content-Length": length}
    found = httpx.post(address + INFER, content=body, headers=headers)
    assert found.status_code == 400, found.text
    assert words in found.json()["detail"]
    assert found.json()["error"] == found.json()["detail"]
    assert found.headers["content-type"] == "application/json", "KServe's client reads no other"
