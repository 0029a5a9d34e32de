"""`python -m training.evaluate NAME` examines the model that serves here, and says which."""

from pathlib import Path

import pytest

from support.fakes.own_files import know_digits
from support.tiny import tiny_champion
from training.evaluate import main


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    know_digits(tmp_path / "mine", monkeypatch)
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr("training.evaluate.dataset_root", lambda: None)
    return tmp_path / "home"


@pytest.mark.parametrize("name", ["digits", "keywords"])
def test_the_champion_of_this_home_is_examined(
    place: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    bundle = tiny_champion(place, name)
    assert main([name]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"{name}, version 1\n")
    assert f"{bundle.card.metrics.exam.macro_f1:.3f}" in printed


def test_else_what_is_shipped_is_and_else_it_is_said_how_to_train_one(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keywords"]) == 0
    assert capsys.readouterr().out.startswith("keywords, version shipped\n")
    assert main(["digits"]) == 1
    assert "train it: telltale retrain digits" in capsys.readouterr().err
    assert not place.exists()
