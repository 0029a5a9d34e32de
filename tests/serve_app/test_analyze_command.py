"""analyze_command.py: folders of recordings, and how it goes on where it was stopped."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.domains.domain import load_domains
from serve_app import analyze_command
from serve_app.http.api import build_api
from serve_app.replica.champion import load_served
from support.inputs.sounds import tone, wav
from support.local_server import Server
from support.replica import Replica
from support.tiny import tiny_bundle

FAULTS = load_domains(names=("faults",))["faults"]


@pytest.fixture(autouse=True)
def always_fluid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served = load_served(tiny_bundle(tmp_path / "b", FAULTS, always="fluid").path, "7")
    monkeypatch.setattr(analyze_command, "current_version", lambda home, name: served)
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path / "home"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "recordings"
    (folder / "night").mkdir(parents=True)
    (folder / "a.wav").write_bytes(tone(400, seconds=12.0))
    (folder / "night" / "b.flac").write_bytes(tone(300, seconds=2.0))
    (folder / "night" / "notes.txt").write_text("no sound")
    (folder / "night" / "torn.wav").write_bytes(tone()[:40])
    return folder


def analyzed(*arguments: str | Path) -> int:
    return analyze_command.main([*map(str, arguments), "--domain", "faults"])


def rows(text: str) -> list[tuple[str, str, str, str]]:
    table = csv.DictReader(io.StringIO(text))
    return [(Path(r["file"]).name, r["label"], r["start_s"], r["end_s"]) for r in table]


def test_each_recording_of_a_folder_has_its_events(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert analyzed(folder) == 1
    printed = capsys.readouterr()
    assert rows(printed.out) == [
        ("a.wav", "fluid", "0.0", "12.0"),
        ("b.flac", "fluid", "0.0", "2.0"),
        ("torn.wav", "", "", ""),
    ]
    assert "torn.wav,,,,,,,7,,this WAV file is damaged" in printed.out
    assert "4 files, 2 events, 1 failed, 1 no recordings" in printed.err


@pytest.mark.parametrize("by", ["model", "service"])
def test_a_recording_that_is_cut_off_has_a_warning(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], by: str
) -> None:
    with (folder / "a.wav").open("r+b") as cut:
        cut.truncate(44 + (cut.seek(0, 2) - 44) // 2)
    replica = Replica("faults", tmp_path / "service")
    door: Any = build_api(replica)  # type: ignore[arg-type]
    with Server(door) as url:
        assert analyzed(folder / "a.wav", *(["--url", url] if by == "service" else [])) == 0
    replica.store.close()
    found = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert found
    assert all("lasts 12.0 s, but only 6.0 s" in row["warnings"] for row in found)


def test_it_goes_on_where_it_was_stopped(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "events.csv"
    assert analyzed(folder, "--output", table, "--limit", "1") == 0
    assert [row[0] for row in rows(table.read_text())] == ["a.wav"]
    analyzed(folder, "--output", table)
    assert [row[0] for row in rows(table.read_text())] == ["a.wav", "b.flac", "torn.wav"]
    assert "1 known before" in capsys.readouterr().err
    assert analyzed(folder, "--output", table) == 0
    assert len(rows(table.read_text())) == 3


def test_a_limit_counts_recordings_and_a_table_has_one_header(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "events.csv"
    (folder / "0-notes.txt").write_text("nothing to hear")
    assert analyzed(folder / "0-notes.txt", "--output", table) == 0
    assert analyzed(folder, "--output", table, "--limit", "1") == 0
    assert [row[0] for row in rows(table.read_text())] == ["a.wav"]


def test_wishes_are_those_of_the_route(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert analyzed(folder / "a.wav", "--threshold", "normal:0.5", "--threshold", "fluid:1") == 0
    assert rows(capsys.readouterr().out) == [("a.wav", "fluid", "0.0", "12.0")]
    assert analyzed(folder / "a.wav", "--threshold", "bird:0.5") == 1
    assert "no label 'bird'" in capsys.readouterr().err


def test_another_table_is_not_written_into(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "clips.csv").write_text("path,label\na.wav,fluid\n")
    assert analyzed(folder, "--output", tmp_path / "clips.csv") == 1
    assert "clips.csv is another table" in capsys.readouterr().err
    assert (tmp_path / "clips.csv").read_text().count("\n") == 2


def test_a_running_service_does_the_same_as_jobs(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replica = Replica("faults", tmp_path / "service")
    door: Any = build_api(replica)  # type: ignore[arg-type]
    (folder / "empty.wav").touch()
    with Server(door) as url:
        assert analyzed(folder, "--url", url, "--threshold", "fluid:0.01", "--top-n", "1") == 1
        found = capsys.readouterr()
        assert analyzed(folder, "--url", url, "--threshold", "bird:0.5") == 1
        assert "no label 'bird'" in capsys.readouterr().err
    replica.store.close()
    names = [name for name, *_ in rows(found.out)]
    assert names == ["a.wav", "empty.wav", "b.flac", "torn.wav"]
    assert f",12.0,{replica.served.version}," in found.out
    assert "torn.wav,,,,,,,,,this WAV file is damaged" in found.out
    assert "2 failed, 1 no recordings" in found.err


def test_rest_makes_no_events(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    served = load_served(tiny_bundle(tmp_path / "n", FAULTS, always="normal").path, "8")
    monkeypatch.setattr(analyze_command, "current_version", lambda home, name: served)
    (folder / "quiet.wav").write_bytes(wav(np.zeros(96_000, np.float32)))
    assert analyzed(folder / "quiet.wav") == 0
    assert rows(capsys.readouterr().out) == [("quiet.wav", "", "", "")]
