"""python -m data similar: what a model remembers that is most like a clip."""

from pathlib import Path

import pytest

from data.__main__ import main
from data.datasets.dataset import from_example
from data.datasets.sources import listed
from models.bundle import PRETRAINED, load_bundle
from models.similar import neighbours


@pytest.mark.parametrize("name", ["keywords", "cracks"])
def test_a_remembered_clip_is_nearest_to_itself(name: str, datasets: Path) -> None:
    bundle = load_bundle(PRETRAINED / name)
    known = set(bundle.memory().clip_ids)
    rows = map(from_example, listed(bundle.domain, datasets))
    clip = next(clip for clip in rows if clip.sha256 in known)
    assert clip.path is not None
    first, *others = neighbours(clip.path.read_bytes(), bundle)
    assert (first.sha256, first.label) == (clip.sha256, clip.label)
    assert first.distance < 0.1 * others[0].distance  # kept in half precision
    assert [one.distance for one in others] == sorted(one.distance for one in others)


def test_neighbours_of_a_file_are_named(datasets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = datasets / "keywords" / "three" / "3_theo_1.flac"  # of the exam, which nobody remembers
    assert main(["similar", str(clip), "--domain", "keywords", "--count", "3"]) == 0
    *lines, told = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert all("three/3_" in line for line in lines)
    assert told.startswith("Keywords") or "version shipped" in told


def test_what_is_no_file_or_no_sound_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.wav").write_bytes(b"no sound")
    for name, reason in (("b.wav", "cannot be read"), ("a.wav", "")):
        assert main(["similar", str(tmp_path / name), "--domain", "keywords"]) == 1
        assert reason in capsys.readouterr().err
