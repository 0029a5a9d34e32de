"""python -m data snapshot, show, diff, restore: as a person types them."""

import csv
import io
from pathlib import Path

import pytest

from data.__main__ import main
from data.store.store import Store
from support.inputs.uploads import new_clip


def test_a_version_of_the_data_is_fixed_compared_and_brought_back(
    found_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    clip, _ = found_store.clips.add(new_clip(b"1"), who="anna")
    assert main(["snapshot", "faults"]) == 0
    first = capsys.readouterr().out.split()[0]
    found_store.clips.relabel("faults", clip.sha256, "fluid", who="ben")
    assert main(["diff", first[:6]]) == 0
    assert f"~ {clip.sha256[:12]}  normal -> fluid" in capsys.readouterr().out
    assert main(["restore", first[:6], "--dry-run"]) == 0
    assert "fluid -> normal" in capsys.readouterr().out
    assert found_store.clips.get("faults", clip.sha256).label == "fluid"
    assert main(["restore", first[:6]]) == 0
    assert found_store.clips.get("faults", clip.sha256).label == "normal"


def test_the_clips_of_a_snapshot_are_a_table(
    found_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    clip, _ = found_store.clips.add(new_clip(b"1"), who="anna")
    taken = found_store.snapshots.take("faults", who="anna")
    assert main(["show", taken.id[:6]]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["sha256"], row["label"], row["who"]) == (clip.sha256, "normal", "anna")


def test_snapshots_of_two_domains_cannot_be_compared(
    found_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = [found_store.snapshots.take(name, who="anna").id for name in ("faults", "keywords")]
    assert main(["diff", *ids]) == 1
    assert "nothing to compare" in capsys.readouterr().err


def test_looking_where_nothing_is_kept_makes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path / "none"))
    assert main(["snapshots", "faults"]) == 1
    assert "nothing is kept in" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
