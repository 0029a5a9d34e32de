"""`python -m training.evaluate NAME` examines the model that serves here, and says which."""

import shutil
from pathlib import Path

import pytest
from tiny import fresh_registry, tiny_bundle

from data.domain import CONFIGS, load_domains
from training.evaluate import main


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Knows the domain `digits`, and `keywords`, which something is shipped for."""
    (tmp_path / "mine").mkdir()
    for name in ("digits", "keywords"):
        shutil.copy(CONFIGS / "keywords.yaml", tmp_path / "mine" / f"{name}.yaml")
    monkeypatch.setenv("TELLTALE_CONFIGS", str(tmp_path / "mine"))
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr("training.evaluate.dataset_root", lambda: None)
    return tmp_path / "home"


@pytest.mark.parametrize("name", ["digits", "keywords"])
def test_the_champion_of_this_home_is_examined(
    place: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    registry = fresh_registry(place)
    bundle = tiny_bundle(place / "tiny", load_domains()[name])
    registry.promote(name, registry.register(bundle, run_id=None, tags={}).number)
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
    assert "train it: python -m training.retrain digits" in capsys.readouterr().err
    assert not place.exists()
