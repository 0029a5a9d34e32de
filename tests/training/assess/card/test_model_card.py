"""model_card.py and reliability.py: a card for people tells what its bundle tells."""

import json
from pathlib import Path

import numpy as np
import pytest

from data.datasets.dataset import read_file
from data.domains.domain import load_domains
from data.errors import InvalidParameter
from data.media.prepare import prepare
from models.bundle import PRETRAINED, Bundle, load_bundle
from models.metrics import intervals
from models.runtime import OnnxModel
from support.tiny import tiny_bundle
from training.assess.card import model_card
from training.assess.card.model_card import labels, summary, write_model_card
from training.assess.examine import exam_clips
from training.assess.reliability import (
    exam_chance_error,
    exam_intervals,
    rejected_foreign_clips,
    reliability,
)
from training.evaluate import main

SHIPPED = sorted(folder.name for folder in PRETRAINED.iterdir() if folder.is_dir())
LARGEST = 100_000  # bytes of a plot
DOMAIN = load_domains(names=("faults",))["faults"]


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return tiny_bundle(
        tmp_path / "bundle",
        DOMAIN,
        novelty={"limits": dict.fromkeys(DOMAIN.labels, 9.0), "false_alarms": 0.04, "clips": 50},
        assert_at={**dict.fromkeys(DOMAIN.labels, 0.5), DOMAIN.labels[0]: None},
    )


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_card_for_people_tells_the_figures_of_its_bundle(name: str) -> None:
    """Whoever changes a bundle writes its card anew: training.evaluate --output models/cards."""
    bundle = load_bundle(PRETRAINED / name)
    written = (model_card.CARDS / f"{name}.md").read_text(encoding="utf-8")
    for line in (*summary(bundle), *labels(bundle)):
        assert line in written
    assert bundle.digest[:12] in written
    assert bundle.card.licence in written
    if len(bundle.others()):
        assert "clips (esc50: CC BY-NC 3.0 (ESC-50))" in written
    assert "Models whose figures in this exam were looked at" in written
    assert bundle.domain.disclaimer in written
    for plot in ("confusion", "reliability"):
        file = model_card.CARDS / f"{name}-{plot}.png"
        assert file.name in written
        assert file.stat().st_size < LARGEST


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_exam_has_groups_and_its_figures_lie_within_their_intervals(name: str) -> None:
    bundle = load_bundle(PRETRAINED / name)
    exam, figures = bundle.exam(), bundle.card.metrics.exam
    assert exam.groups is not None
    for figure, right in (("accuracy", figures.accuracy), ("macro_f1", figures.macro_f1)):
        spread = exam_intervals(bundle)[figure]
        assert spread.value == pytest.approx(right)
        assert spread.low <= right <= spread.high


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_confidence_is_off_by_little_more_than_chance_explains(name: str) -> None:
    exam = (bundle := load_bundle(PRETRAINED / name)).card.metrics.exam
    assert sum(each.count for each in exam.reliability) == np.sum(exam.confusion)
    assert exam.ece <= max(0.05, 1.5 * exam_chance_error(bundle))


@pytest.mark.parametrize("name", SHIPPED)
def test_the_exam_clips_themselves_are_called_unknown_as_often_as_their_embeddings(
    name: str, datasets: Path
) -> None:
    model = OnnxModel(bundle := load_bundle(PRETRAINED / name))
    if (told := reliability(model, bundle.exam())) is None:
        pytest.skip("nothing is unknown where photographs are segmented")
    clips = exam_clips(bundle.domain, datasets)
    features = [prepare(read_file(clip), bundle.domain).features for clip in clips]
    found = [model.predict([each])[0] for each in features]
    slack = 1.5 / len(clips)  # embeddings are kept in half precision: a clip may be on the fence
    assert np.mean([scores.unknown for scores in found]) == pytest.approx(told.unknown, abs=slack)
    assert np.mean([bool(scores.asserted) for scores in found]) == pytest.approx(
        told.asserted, abs=slack
    )
    assert told.unknown <= 0.15  # 5 % on validation clips, of which there are few


def test_groups_are_drawn_whole() -> None:
    """Ten copies of one mistake are one mistake: the interval is as wide as without the copies."""
    right, wrong = np.array([[1, 0], [0, 0]]), np.array([[0, 1], [0, 0]])
    tables = np.array([right] * 9 + [wrong])
    once = intervals(tables, np.arange(10))["accuracy"]
    copied = intervals(np.repeat(tables, 10, axis=0), np.repeat(np.arange(10), 10))["accuracy"]
    alone = intervals(np.repeat(tables, 10, axis=0), np.arange(100))["accuracy"]
    assert (copied.low, copied.high) == (once.low, once.high)
    assert alone.low > copied.low


def test_the_command_writes_a_card_with_plots(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.evaluate.dataset_root", lambda: None)
    monkeypatch.setattr(model_card, "CARDS", tmp_path / "protocols")
    out = tmp_path / "out"
    assert main(["faults", "--bundle", str(bundle.path), "--output", str(out)]) == 0
    written = (out / "faults.md").read_text(encoding="utf-8")
    assert "| electrical | 1.000 | 1.000 | 1.000 | 6 | never |" in written
    assert "| validation clips (50) | 4 % |" in written
    assert "Clips of folds" not in written
    assert "33 clips are, in 165 s" in written
    assert "0 an hour, and with 95 % confidence at most 65." in written
    for plot in ("confusion", "reliability"):
        assert (out / f"faults-{plot}.png").read_bytes().startswith(b"\x89PNG")


def test_other_protocols_stand_in_a_table(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_card, "CARDS", tmp_path)
    spread = {"value": 0.91, "low": 0.85, "high": 0.95}
    entry = {"protocol": "random split", "figures": {"accuracy": spread}, "note": "too easy"}
    file = tmp_path / "faults.protocols.json"
    file.write_text(json.dumps([entry]))
    written = write_model_card(bundle, None, tmp_path).read_text(encoding="utf-8")
    assert "| random split | 0.910 (0.850 to 0.950) |  | too easy |" in written
    file.write_text(json.dumps({"protocol": "random split"}))
    with pytest.raises(InvalidParameter, match="list of entries"):
        write_model_card(bundle, None, tmp_path)


@pytest.mark.deploy
def test_clips_of_other_data_sets_are_heard_but_not_what_both_know(
    bundle: Bundle, datasets: Path
) -> None:
    found = {
        each.dataset: each for each in rejected_foreign_clips(OnnxModel(bundle), DOMAIN, datasets)
    }
    assert "faults" not in found
    assert found["keywords"].clips == 200
    assert 0 <= found["keywords"].unknown <= 1


def test_a_card_from_before_groups_and_limits_were_kept_can_still_be_written(
    tmp_path: Path,
) -> None:
    old = tiny_bundle(tmp_path / "old", DOMAIN)
    written = write_model_card(old, None, tmp_path).read_text(encoding="utf-8")
    assert "24 clips in 24 groups" in written
    assert "Unknown" not in written
