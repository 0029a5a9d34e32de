"""`python -m serve_app predict`: what is answered without a server is as honest as the service."""

import csv
import os
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from data.domains.domain import load_domains
from serve_app import __main__ as command
from serve_app.batch_table import as_csv
from serve_app.cluster.ray_node import NoNode
from serve_app.replica.champion import load_served
from serve_app.settings import Settings
from support.inputs.sounds import tone
from support.tiny import tiny_bundle

FAULTS = load_domains(names=("faults",))["faults"].model_copy(update={"disclaimer": "A hint."})


@pytest.mark.parametrize("unknown", [True, False])
def test_an_unknown_clip_is_called_so_and_the_disclaimer_is_said_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    unknown: bool,
) -> None:
    bundle = tiny_bundle(tmp_path / "b", FAULTS, always="fluid")
    served = load_served(bundle.path, "1")
    reason = "unlike anything learnt" if unknown else None
    monkeypatch.setattr(served.model, "why_unknown", lambda *_: reason)
    monkeypatch.setattr(command, "current_version", lambda home, name: served)
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path))
    clips = [tmp_path / "a.wav", tmp_path / "b.wav"]
    for clip in clips:
        clip.write_bytes(tone(400))
    with clips[1].open("r+b") as cut:
        cut.truncate(5_000)
    assert command.predict(clips, "faults") == 0
    printed = capsys.readouterr()
    right = "unknown (fluid)" if unknown else "fluid"
    assert [line[:20].strip() for line in printed.out.splitlines()] == [right, right]
    assert printed.err.count(FAULTS.disclaimer) == 1
    assert [line.split(": ")[0] for line in printed.err.splitlines() if "it lasts" in line] == [
        str(clips[1])
    ]


def test_a_clip_whose_name_is_not_utf_8_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    served = load_served(tiny_bundle(tmp_path / "b", FAULTS, always="fluid").path, "1")
    monkeypatch.setattr(command, "current_version", lambda home, name: served)
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path))
    clip = tmp_path / os.fsdecode(b"L\xfcfter.wav")
    clip.write_bytes(tone(400))
    monkeypatch.setattr(sys, "argv", ["serve_app", "predict", str(clip)])
    assert command.main() == 0
    assert r"L\udcfcfter.wav" in capsys.readouterr().out


def test_a_table_of_answers_says_which_of_them_to_rely_on() -> None:
    found = {"file": "a.wav", "label": "fluid", "confidence": 0.9, "unknown": False}
    found |= {"clip": {}, "request_id": "r-1", "probabilities": {"fluid": 0.9}}
    rows = [{**found, "asserted": value, "model": {"version": "1"}} for value in (True, None)]
    read = list(csv.DictReader(as_csv(rows).splitlines()))
    assert [row["asserted"] for row in read] == ["True", ""]


def test_a_machine_that_is_too_busy_to_join_tries_again_and_gives_up_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def busy(settings: Settings, address: str, say: object) -> NoReturn:
        raise NoNode("Ray could not start a node here: it timed out")

    monkeypatch.setattr("serve_app.cluster.join.joined", busy)
    monkeypatch.setattr("serve_app.__main__.stop_when_asked", lambda: None)
    monkeypatch.setattr("serve_app.__main__.REJOIN_S", 0.0)
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["serve_app", "join"])
    assert command.main() == 1
    printed = capsys.readouterr()
    assert printed.out.count("it timed out; trying again") == command.FIRST_TRIES - 1
    assert printed.err == "telltale: Ray could not start a node here: it timed out\n"
