"""What counts as harm done, and what is said where nothing can be disturbed."""

import json
import sys
from pathlib import Path

import pytest

from loadtest import disturb
from loadtest.client.wire import Reply, Tally


def test_a_service_that_is_away_is_said_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = tmp_path / "clip.wav"
    clip.touch()
    words = ["swap", "--key", "any", "--url", "http://127.0.0.1:9", str(clip)]
    monkeypatch.setattr(sys, "argv", ["disturb", *words])
    assert disturb.main() == 1
    assert capsys.readouterr().err.startswith("disturb: ")


def answered(version: str, digest: str, status: int = 200) -> Reply:
    body = json.dumps({"model": {"version": version, "digest": digest}})
    return Reply(status, body.encode(), 0.0, 0.01)


@pytest.mark.parametrize(
    ("reply", "code"),
    [(answered("2", "bb"), 0), (answered("2", "aa"), 1), (answered("2", "bb", 503), 1)],
)
def test_a_failure_is_harm_and_so_is_a_version_with_anothers_digest(
    reply: Reply, code: int
) -> None:
    tally = Tally([answered("1", "aa"), reply])
    assert disturb.report(tally, {"1": "aa", "2": "bb"}) == code
