"""fast_path.py: who is let in at a replica's own port."""

from dataclasses import replace
from pathlib import Path

import pytest

from serve_app.settings import PASSED_HEADER
from support.replica import Replica, answering
from support.sounds import tone

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
