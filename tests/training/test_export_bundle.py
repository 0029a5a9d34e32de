"""export_bundle.py: a version as one file."""

import zipfile
from pathlib import Path

import pytest

from models.bundle import load_bundle
from support.tiny import tiny_champion
from training.export_bundle import main


def test_the_champion_goes_into_one_file_and_is_a_bundle_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("TELLTALE_HOME", str(home))
    champion = tiny_champion(home, "keywords")
    first, again = tmp_path / "a.zip", tmp_path / "b.zip"
    for file, version in ((first, "champion"), (again, "1")):
        assert main([version, str(file), "--domain", "keywords"]) == 0
    assert first.read_bytes() == again.read_bytes()
    with zipfile.ZipFile(first) as packed:
        packed.extractall(tmp_path)
    assert load_bundle(tmp_path / "keywords").digest == champion.digest
    for refused in (["9", str(tmp_path / "c.zip")], ["1", str(first)], ["1", "bundle.tar"]):
        assert main([*refused, "--domain", "keywords"]) == 1
    told = capsys.readouterr().err
    assert "its versions are 1" in told
    assert told.count("must be called .zip") == 2
