"""kernel.py: where the time of one clip goes."""

from pathlib import Path
from statistics import median

import pytest

from data.domains.domain import of_sounds
from data.errors import UnsupportedClip
from loadtest.command import exit_code
from loadtest.kernel import measure, parsed, print_stages
from models.runtime import OnnxModel
from support.inputs.recordings import by_sndfile
from support.tiny import tiny_bundle

CLIP = by_sndfile("WAV", "PCM_16")


def test_every_stage_of_a_clip_takes_its_time_and_all_takes_the_longest(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "b")
    found = measure(CLIP, of_sounds(bundle.domain), OnnxModel(bundle), seconds=0)
    spent = {name: median(milliseconds) for name, milliseconds in found.items()}
    assert list(spent) == ["decode", "features", "network", "scores", "all"]
    assert all(milliseconds > 0 for milliseconds in spent.values())
    assert max(spent, key=lambda name: spent[name]) == "all"


def test_a_clip_that_cannot_be_heard_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "b")
    with pytest.raises(UnsupportedClip, match="a PDF document"):
        measure(b"%PDF-1.7", of_sounds(bundle.domain), OnnxModel(bundle), seconds=0)


def test_the_command_prints_one_line_a_stage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "clip.wav").write_bytes(CLIP)
    bundle = tiny_bundle(tmp_path / "b")
    arguments = [str(tmp_path / "clip.wav"), "--bundle", str(bundle.path), "--seconds", "0"]
    assert exit_code(print_stages, parsed(arguments)) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names == ["ms", "decode", "features", "network", "scores", "all"]


def test_a_missing_clip_is_said_in_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert exit_code(print_stages, parsed(["nowhere.wav"])) == 1
    assert "nowhere.wav" in capsys.readouterr().err
