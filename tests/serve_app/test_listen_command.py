"""telltale listen: a file is heard by a service as it would be live, and by the typed client."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serve_app.client.analysis_answers import StreamPrediction, StreamReady
from serve_app.client.client import Client
from serve_app.client.connection import ServiceAway, ServiceError
from serve_app.http.api import build_api
from serve_app.listen_command import main
from support.inputs.sounds import tone
from support.local_server import Server
from support.replica import Replica


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    replica = Replica("keywords", tmp_path_factory.mktemp("home"))
    assert replica.store  # opened before anybody waits for it
    with pytest.MonkeyPatch.context() as patch:
        surely = np.eye(10, dtype=np.float32)[7]
        patch.setattr(replica.served.model, "why_unknown", lambda *_: None)
        patch.setattr(
            replica.served.model, "probabilities", lambda logits: np.tile(surely, (len(logits), 1))
        )
        door: Any = build_api(replica)  # type: ignore[arg-type]
        with Server(door) as url:
            yield url


@pytest.mark.parametrize("rate_hz", [2_000, 16_000, 192_000])
def test_a_file_of_any_rate_is_heard_and_its_events_are_lines(
    url: str,
    rate_hz: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("serve_app.listen_command.time.sleep", lambda _: None)
    file = tmp_path / "two seconds.wav"
    file.write_bytes(tone(500, seconds=2.0, rate_hz=rate_hz))
    assert main(["keywords", str(file), "--url", url]) == 0
    begun, ended = capsys.readouterr().out.splitlines()
    assert begun.split() == ["0.00", "s", "seven", "(1.00)", "..."]
    assert ended.split() == ["0.00", "s", "seven", "(1.00)", "to", "2.00", "s"]


def test_a_program_gets_typed_answers_and_refusals(url: str) -> None:
    with Client(url) as client:
        ready, *others = client.stream("keywords", [bytes(16_000)] * 2, 8_000)
        assert isinstance(ready, StreamReady)
        assert isinstance(others[0], StreamPrediction)
    with Client(url, "nobody's") as client, pytest.raises(ServiceError, match="not known here"):
        list(client.stream("keywords", [], 8_000))
    with Client(url) as client, pytest.raises(ServiceError, match="sample_rate_hz: .* 4000"):
        list(client.stream("keywords", [], 2_000))


def test_what_fails_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (
        Client("http://127.0.0.1:9") as client,
        pytest.raises(ServiceAway, match="does not answer"),
    ):
        list(client.stream("keywords", [], 8_000))
    assert main(["keywords", str(tmp_path / "absent.wav"), "--url", "http://127.0.0.1:9"]) == 1
    assert "absent.wav" in capsys.readouterr().err
