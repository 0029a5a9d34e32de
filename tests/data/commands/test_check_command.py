"""python -m data check: what is told, and what is flagged."""

from pathlib import Path

import numpy as np
import pytest

from data.__main__ import main
from data.database.schema import ClipState
from data.domains.domain import Domain, load_domains
from data.store.clips.clip_rows import NewClip
from data.store.store import Store
from support.inputs.sounds import bursts, tone, wav
from support.inputs.toy_dataset import toy_dataset


@pytest.fixture
def domain() -> Domain:
    return load_domains(names=("faults",))["faults"]


def keep(
    store: Store,
    raw: bytes,
    label: str,
    state: ClipState = "accepted",
    group: str | None = None,
) -> str:
    new = NewClip(
        raw,
        domain="faults",
        label=label,
        group=group,
        state=state,
        source="upload",
        duration_s=1.0,
        sample_rate_hz=16_000,
    )
    return store.clips.add(new, who="anna")[0].sha256


def recording(seed: int, gain: float = 1.0) -> bytes:
    return wav(gain * bursts(seed, rate_hz=16_000))


def flags(store: Store) -> dict[str, str]:
    return {flag.sha256: flag.kind for flag in store.flags.find("faults")}


def test_silence_copies_and_contradictions_are_told_and_flagged(
    found_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(found_store, recording(1), "fluid")
    copy = keep(found_store, recording(1, 0.5), "fluid")
    other = keep(found_store, recording(1, 0.3), "normal", "quarantined")
    silent = keep(found_store, wav(np.zeros(16_000)), "normal")
    keep(found_store, tone(), "normal")
    assert main(["check", "faults"]) == 0
    said = capsys.readouterr().out
    assert flags(found_store) == {copy: "copy", other: "label_conflict", silent: "silent"}
    assert "which is labelled 'fluid'" in said
    assert "3 remarks on 5 clips" in said
    assert said.index("label_conflict (1)") < said.index("copy (1)") < said.index("silent (1)")


def test_copies_within_one_group_do_no_harm(found_store: Store) -> None:
    for gain in (1.0, 0.5):
        keep(found_store, recording(1, gain), "fluid", group="pump 7")
    main(["check", "faults"])
    assert flags(found_store) == {}


def test_a_dry_run_only_tells(found_store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    keep(found_store, wav(np.zeros(16_000)), "normal")
    main(["check", "faults", "--dry-run"])
    assert "silent (1)" in capsys.readouterr().out
    assert flags(found_store) == {}


def test_what_is_broken_is_one_remark_and_not_the_end(found_store: Store) -> None:
    broken = keep(found_store, b"no sound", "normal")
    silent = keep(found_store, wav(np.zeros(16_000)), "normal")
    assert main(["check", "faults"]) == 0
    assert flags(found_store) == {broken: "unreadable", silent: "silent"}


def test_a_copy_of_an_exam_clip_is_found_in_the_data_set(
    tmp_path: Path, domain: Domain, found_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = toy_dataset(tmp_path / "sets", domain)
    monkeypatch.setenv("TELLTALE_DATASETS", str(root))
    exam = root / domain.source.dataset / "fluid_8.wav"
    exam.write_bytes(recording(1))
    copy = keep(found_store, recording(1, 0.5), "normal")
    main(["check", "faults"])
    assert flags(found_store)[copy] == "exam_copy"


def test_nothing_to_check_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TELLTALE_DATASETS", str(tmp_path / "none"))
    assert main(["check", "faults"]) == 1
    assert "there are no clips of faults" in capsys.readouterr().err
