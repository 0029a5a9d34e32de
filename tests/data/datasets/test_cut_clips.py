"""telltale data import --labels: parts of a recording are clips with labels and one group."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from data.__main__ import main
from data.store.store import Store
from support.inputs.sounds import bursts, wav

SAMPLES = bursts(3, seconds=40.0)
LABELS = "2.5\t5.0\tfluid\n4.0\t7.0\tmechanical\n30.0\t33.0\tfluid\n"


def imported(folder: Path, labels: str) -> int:
    (folder / "pump.wav").write_bytes(wav(SAMPLES, 8_000))
    (folder / "pump.txt").write_text(labels, encoding="utf-8")
    options = ["--domain", "faults", "--labels", str(folder / "pump.txt")]
    return main(["import", str(folder / "pump.wav"), *options])


def test_each_part_is_a_clip_of_the_recordings_group(tmp_path: Path, found_store: Store) -> None:
    assert imported(tmp_path, LABELS) == 0
    kept = found_store.clips.find("faults", limit=None)
    assert {(clip.label, clip.duration_s, clip.group) for clip in kept} == {
        ("fluid", 2.5, "pump.wav"),
        ("mechanical", 3.0, "pump.wav"),
        ("fluid", 3.0, "pump.wav"),
    }
    overlapping = next(clip for clip in kept if clip.label == "mechanical")
    samples, rate_hz = soundfile.read(io.BytesIO(found_store.clips.read(overlapping.sha256)))
    np.testing.assert_allclose(samples, SAMPLES[4 * rate_hz : 7 * rate_hz], atol=1e-4)


def test_a_recording_whose_name_is_not_utf_8_is_named_all_the_same(
    tmp_path: Path, found_store: Store
) -> None:
    recording = tmp_path / os.fsdecode(b"B\xe4r.wav")
    recording.write_bytes(wav(SAMPLES, 8_000))
    (tmp_path / "bear.txt").write_text(LABELS, encoding="utf-8")
    options = ["--domain", "faults", "--labels", str(tmp_path / "bear.txt")]
    assert main(["import", str(recording), *options]) == 0
    assert {clip.group for clip in found_store.clips.find("faults", limit=None)} == {"B\xe4r.wav"}


def test_the_same_table_again_brings_nothing_new(
    tmp_path: Path, found_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    imported(tmp_path, LABELS)
    assert imported(tmp_path, LABELS) == 0
    assert "0 accepted, 3 known already" in capsys.readouterr().out


def test_a_label_of_another_domain_is_refused_alone(
    tmp_path: Path, found_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert imported(tmp_path, "1.0\t2.0\tbird\n" + LABELS) == 1
    said = capsys.readouterr().out
    assert "3 accepted" in said
    assert "pump.wav, 1 to 2 s" in said


def test_labels_of_another_recording_are_found_out(
    tmp_path: Path, found_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert imported(tmp_path, LABELS + "50.0\t52.0\tfluid\n") == 1
    assert "behind the end of pump.wav, which lasts 40.0 s" in capsys.readouterr().err
    assert found_store.clips.find("faults", limit=None) == []
