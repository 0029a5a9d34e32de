"""Which of HAProxy's servers are a domain's replicas, and who has answered."""

from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

from loadtest.coldstart import answered, parsed
from support.local_server import Server

STATISTICS = """# pxname,svname,type,bck,hrsp_2xx
http_frontend,FRONTEND,0,,9
http-faults,replica-a,2,0,7
http-faults,replica-b,2,0,
http-faults,fallback,2,1,3
http-faults,BACKEND,1,,7
http-keywords,replica-c,2,0,1
"""


def test_only_a_domains_replicas_count_and_each_for_itself() -> None:
    app = FastAPI()
    app.get("/stats;csv")(lambda: PlainTextResponse(STATISTICS))
    with Server(app) as url:
        assert answered(f"{url}/stats;csv", "faults") == {"replica-a": 7, "replica-b": 0}


def test_an_unknown_condition_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = tmp_path / "clip.wav"
    clip.touch()
    with pytest.raises(SystemExit):
        parsed([str(clip), "--conditions", "rset"])
    assert "invalid choice: 'rset'" in capsys.readouterr().err
