"""fast_path.py: who is let in, at a replica's own port and by which key."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.websockets import WebSocketDisconnect

from serve_app.settings import PASSED_HEADER
from support.inputs.sounds import tone
from support.keys import key_of
from support.replica import Replica, answering

TOKEN = "what only this service's processes know"


@pytest.mark.parametrize("path", ["/predict", "/keywords/predict", "/health", "/status", "/docs"])
def test_a_replica_answers_what_haproxy_has_passed_on_and_nothing_else(
    tmp_path: Path, path: str
) -> None:
    replica = Replica("keywords", tmp_path)
    replica.settings = replace(replica.settings, start_token=TOKEN)
    files = {"file": tone()} if path.endswith("predict") else None
    method = "POST" if files else "GET"
    with answering(replica) as client:
        for told in (None, "start ", "a guess"):
            headers = {PASSED_HEADER: told} if told else {}
            refused = client.request(method, path, headers=headers, files=files)
            assert refused.status_code == 403
            assert "TELLTALE_PORT" in refused.json()["detail"]
        headers = {PASSED_HEADER: f"start {TOKEN}"}
        passed = client.request(method, path, headers=headers, files=files)
        assert passed.status_code == 200


def test_a_replica_hears_streams_that_haproxy_has_passed_on_and_no_others(tmp_path: Path) -> None:
    replica = Replica("keywords", tmp_path)
    replica.settings = replace(replica.settings, start_token=TOKEN)
    with answering(replica) as client:
        with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect("/stream"):
            pass
        assert refused.value.code == 1008
        headers = {PASSED_HEADER: f"start {TOKEN}"}
        with client.websocket_connect("/stream", headers=headers) as socket:
            socket.send_json({"sample_rate_hz": 8_000})
            assert socket.receive_json()["type"] == "ready"


ORDERS = [
    *("/predict", "/api/predict", "/transcribe", "/batch-predict", "/feedback", "/upload"),
    *("/save-for-retrain", "/retrain", "/keywords/retrain", "/api/clips/1/relabel"),
    *("/clips/1/reject", "/feedback/1/reject"),
]


@pytest.mark.parametrize("path", ORDERS)
def test_a_key_is_looked_at_before_the_body(tmp_path: Path, path: str) -> None:
    replica = Replica("keywords", tmp_path)
    viewer = key_of(replica.store, "ann", "viewer")

    def body() -> Iterator[bytes]:
        yield b"{" * 100_000  # more than is read of an order, and wrong in every kind

    with answering(replica) as client:
        for kind in ("application/json", "multipart/form-data; boundary=b", "audio/wav"):
            headers = {"authorization": "Bearer nobody's", "content-type": kind}
            found = client.post(path, content=body(), headers=headers)
            assert (found.status_code, "not known here" in found.text) == (401, True), found.text
            assert found.headers["www-authenticate"] == "Bearer"
            if path.endswith(("retrain", "relabel", "reject", "upload")) and "save" not in path:
                headers["authorization"] = f"Bearer {viewer}"
                found = client.post(path, content=body(), headers=headers)
                assert (found.status_code, "has viewer" in found.text) == (403, True), found.text
