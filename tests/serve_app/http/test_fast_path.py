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
    form = {"files": {"file": tone()}} if path.endswith("predict") else {}
    method = "POST" if form else "GET"
    with answering(replica) as client:
        for headers in ({}, {PASSED_HEADER: "start "}, {PASSED_HEADER: "a guess"}):
            refused = client.request(method, path, headers=headers, **form)
            assert refused.status_code == 403
            assert "TELLTALE_PORT" in refused.json()["detail"]
        passed = client.request(method, path, headers={PASSED_HEADER: f"start {TOKEN}"}, **form)
        assert passed.status_code == 200
