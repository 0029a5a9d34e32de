"""loadtest/overload/: what counts as a broken bound."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from loadtest import overload
from loadtest.open_loop import Offered
from loadtest.overload import Loaded, Sample, broken, figures, parsed

BOUNDS = (100.0, 50.0)  # ms, MB
GOOD = Offered(
    due_s=np.linspace(0.0, 4.0, 400),
    sent_s=np.linspace(0.0, 4.0, 400),
    ended_s=np.linspace(0.0, 4.0, 400) + 0.02,
    status=np.tile([200, 429, 429, 429], 100),
    retry_after=np.tile([False, True, True, True], 100),
    worked_ms=np.full(400, 2.0),
    client_cpu_s=0.1,
)


def run(offered: Offered = GOOD, growth_mb: float = 0.0) -> Loaded:
    samples = tuple(
        Sample(at, {"replica": 200.0 + growth_mb * at, "haproxy": 10.0}, 3)
        for at in (0.0, 1.0, 2.0, 3.0)
    )
    return Loaded(100.0, offered, samples)


def with_status(status: int) -> Offered:
    changed = GOOD.status.copy()
    changed[0] = status
    return replace(GOOD, status=changed)


def test_refusing_what_is_too_much_breaks_nothing() -> None:
    assert broken(run(), *BOUNDS) == []


@pytest.mark.parametrize(
    ("loaded", "words"),
    [
        (run(with_status(503)), "1 answers of 5xx"),
        (run(with_status(0)), "1 requests ended without an answer"),
        (run(replace(GOOD, ended_s=GOOD.due_s + 0.2)), "p99 of the accepted is 200.0 ms"),
        (run(replace(GOOD, retry_after=np.zeros(400, bool))), "300 refusals had no Retry-After"),
        (run(growth_mb=40.0), "replica grew by 80 MB"),
    ],
)
def test_each_bound_is_broken_in_words(loaded: Loaded, words: str) -> None:
    (found,) = broken(loaded, *BOUNDS)
    assert words in found


def test_the_figures_tell_accepted_from_refused() -> None:
    found = figures(run())
    assert found["accepted_rps"] == 25.0
    assert found["accepted_of_capacity"] == 0.25
    assert (found["p50_ms"], found["p99_ms"]) == (20.0, 20.0)
    assert found["retry_after_share"] == 1.0
    assert found["statuses"] == {"200": 100, "429": 300}


def test_a_modest_key_is_shown_beside_the_greedy_one() -> None:
    modest = replace(GOOD, status=np.full(400, 200))
    found = figures(replace(run(), modest=modest))
    assert found["modest_answered_share"] == 1.0
    assert found["greedy_answered_share"] == 0.25


def test_the_exit_code_tells_whether_a_bound_was_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clip.wav").touch()
    words = [str(tmp_path / "clip.wav"), "--url", "http://127.0.0.1:9", "--out", str(tmp_path)]
    for status, code in ((200, 0), (500, 1)):
        found = [run(), run(with_status(status))]
        monkeypatch.setattr(overload, "measure", lambda *_, found=found: found)
        assert overload.measured(parsed(words)) == code
    told = json.loads((tmp_path / "overload.json").read_text())
    assert told["broken"]
    (memory,) = (rows for name, rows in told.items() if name.startswith("PSS"))
    assert memory[0] == {"after_s": 0.0, "replica": 200.0, "haproxy": 10.0}
    assert (tmp_path / "overload.png").stat().st_size > 10_000


def test_greed_needs_two_keys_of_a_running_service(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = tmp_path / "clip.wav"
    clip.touch()
    with pytest.raises(SystemExit):
        parsed([str(clip), "--greedy", "--url", "http://127.0.0.1:8000", "--key", "a"])
    assert "--modest-key" in capsys.readouterr().err


def test_a_missing_clip_is_said_before_a_service_is_started(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        parsed(["no/such.wav"])
    assert "no/such.wav cannot be read" in capsys.readouterr().err
