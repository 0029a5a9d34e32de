"""Which of HAProxy's servers are a domain's replicas, and who has answered."""

import sys
from pathlib import Path

import pytest

from data.errors import NotReady
from loadtest import coldstart
from loadtest.coldstart import answered

STATISTICS = """# pxname,svname,type,bck,hrsp_2xx
http_frontend,FRONTEND,0,,9
http-faults,replica-a,2,0,7
http-faults,replica-b,2,0,
http-faults,fallback,2,1,3
http-faults,BACKEND,1,,7
http-keywords,replica-c,2,0,1
"""


def test_only_a_domains_replicas_count_and_each_for_itself() -> None:
    assert answered(STATISTICS, "faults") == {"replica-a": 7, "replica-b": 0}


def test_too_many_replicas_to_begin_with_are_no_measurement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(coldstart, "PATIENCE_S", 0.0)
    monkeypatch.setattr(coldstart, "replicas", lambda domain: {1, 2, 3})
    with pytest.raises(NotReady, match="3 replicas run after 0 s; one was asked for"):
        coldstart.until_one("faults")


def test_an_unknown_condition_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = tmp_path / "clip.wav"
    clip.touch()
    monkeypatch.setattr(sys, "argv", ["coldstart", str(clip), "--conditions", "rset"])
    with pytest.raises(SystemExit):
        coldstart.main()
    assert "invalid choice: 'rset'" in capsys.readouterr().err
