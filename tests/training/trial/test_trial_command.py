"""`telltale trial --folds` on what `telltale crossval --keep` has made: two folds of a toy data
set, trained for an epoch."""

import json
from pathlib import Path

import pytest
import yaml

from data.domains.domain import load_domains
from models.bundle import load_bundle
from support.inputs.toy_dataset import TEST, TRAIN, toy_dataset, toy_domain
from support.tiny import tiny_bundle
from training import crossval
from training.trial import __main__ as trial
from training.trial import material


@pytest.fixture
def labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many the toy domain has, which is served by a tiny bundle."""
    domain = toy_domain(load_domains(names=("faults",))["faults"], epochs=1)
    (tmp_path / "configs").mkdir()
    raw = yaml.safe_dump(domain.model_dump(mode="json", exclude={"name"}))
    (tmp_path / "configs/faults.yaml").write_text(raw)
    tiny_bundle(tmp_path / "shipped/faults", domain)
    monkeypatch.setenv("TELLTALE_CONFIGS", str(tmp_path / "configs"))
    monkeypatch.setenv("TELLTALE_DATASETS", str(toy_dataset(tmp_path / "datasets", domain)))
    monkeypatch.setattr(material, "PRETRAINED", tmp_path / "shipped")
    return len(domain.labels)


def test_folds_are_kept_and_tried_on_the_clips_that_they_left_out(
    labels: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, report = tmp_path / "kept", tmp_path / "report"
    parts = ["--parts", "2"]
    asked = ["faults", "--folds", *parts, "--kept", str(kept), "--work", str(tmp_path / "work")]
    asked += ["--only", "condition", "--seeds", "1", "--report", str(report)]
    assert trial.main(asked) == 1
    assert "telltale crossval faults --folds group --parts 2 --keep" in capsys.readouterr().err

    made = ["faults", "--folds", "group", *parts, "--keep", "--work", str(kept)]
    assert crossval.main(made) == 0
    one, other = (load_bundle(path) for path in sorted((kept / "faults").glob("*.bundle")))
    assert set(one.exam().clip_ids) == set(other.exam().clip_ids)
    assert len(one.exam().clip_ids) == labels * TEST
    learnt = [set(each.memory().clip_ids) for each in (one, other)]
    assert not learnt[0] & learnt[1]
    assert len(learnt[0] | learnt[1]) == labels * TRAIN

    trial.main(asked)
    told = json.loads((report / "faults.json").read_text())
    assert list(told["models"]) == ["shipped", "part-1, from scratch", "part-2, from scratch"]
    by_fold = [facts for name, facts in told["models"].items() if name != "shipped"]
    assert [facts["clips"] for facts in by_fold] == [labels * TRAIN // 2] * 2
    assert {facts["bundle"] for facts in by_fold} == {one.digest, other.digest}
    assert (told["seeds"], told["code"] != "") == (1, True)
    assert "new condition: untaught clips" in {row["figure"] for row in told["figures"]}
    assert (report / "faults.png").is_file()
