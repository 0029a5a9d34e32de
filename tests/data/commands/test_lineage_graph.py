"""python -m data graph: what came of what."""

import shutil

import pytest

from data.__main__ import main
from data.store.store import Store
from support.corrections import add_correction
from support.inputs.uploads import new_clip


@pytest.fixture
def taught(found_store: Store) -> str:
    """A snapshot that one run has made version 2 of, which one receipt tells."""
    clip, _ = found_store.clips.add(new_clip(b"1"), who="ann")
    add_correction(
        found_store,
        domain="faults",
        clip_sha256=clip.sha256,
        predicted="fluid",
        confidence=0.9,
        corrected="normal",
        version="1",
        state="accepted",
        reason="",
        who="ann",
    )
    taken = found_store.snapshots.take("faults", who="ann")
    found_store.runs.start("r1", domain="faults", mode="teach", reason="", who='ann "the ear"')
    detail = {"step": "snapshot", "snapshot": taken.id}
    found_store.events.add("step", subject="run:r1", who="ann", domain="faults", detail=detail)
    after = {clip.sha256: ("normal", 0.8)}
    found_store.snapshots.mark_learnt(taken.id, "2", after, who="ann")
    result = {"version": "2", "promoted": True}
    found_store.runs.update("r1", state="succeeded", who="ann", result=result)
    return taken.id


def test_a_snapshot_leads_to_its_run_version_and_receipts(
    taught: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["graph", "faults"]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == 'digraph "faults" {'
    assert [line for line in lines if "->" in line] == [
        f'"snapshot {taught}" -> "run r1"',
        '"run r1" -> "version 2"',
        '"version 2" -> "receipts 2"',
    ]
    assert '"version 2" [shape=hexagon, label="version 2, promoted"]' in lines
    assert '"receipts 2" [shape=note, label="1 receipts"]' in lines


def test_a_version_whose_run_is_not_shown_hangs_on_its_snapshot(
    taught: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["graph", "faults", "--runs", "0"]) == 0
    assert f'"snapshot {taught}" -> "version 2"' in capsys.readouterr().out


def test_it_is_drawn_where_graphviz_is_and_otherwise_said(
    taught: str, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = main(["graph", "faults", "--svg"])
    told = capsys.readouterr()
    if shutil.which("dot"):
        assert (drawn, told.out.count("<svg")) == (0, 1)
    else:
        assert (drawn, "apt install graphviz" in told.err) == (1, True)
