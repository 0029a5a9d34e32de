"""evaluate.py: a card's figures can be found again by anybody."""

from dataclasses import asdict
from pathlib import Path

import pytest

from data.domains.domain import load_domains
from data.errors import BundleError
from models.bundle import PRETRAINED, load_bundle
from support.tiny import tiny_bundle
from training.assess.examine import exam_predictions, from_clips, from_embeddings
from training.evaluate import main

SHIPPED = sorted(load_domains())
DRAWN = [name for name, domain in load_domains().items() if domain.task == "segment"]
BARS = {"keywords": 0.97, "faults": 0.70}  # accuracy, macro-F1


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_card_tells_what_its_embeddings_tell(name: str) -> None:
    """To the last digit on the kind of CPU that wrote it; others add in another order."""
    bundle = load_bundle(PRETRAINED / name)
    found, told = from_embeddings(bundle), bundle.card.metrics.exam
    assert flat(asdict(found)) == pytest.approx(flat(asdict(told)), rel=1e-6)


def flat(value: object, path: str = "") -> dict[str, object]:
    """Every number of it, by where it stands."""
    if isinstance(value, dict | list | tuple):
        rows = value.items() if isinstance(value, dict) else enumerate(value)
        return {k: v for key, part in rows for k, v in flat(part, f"{path}.{key}").items()}
    return {path: value}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_bundle_reaches_its_bar_and_stays_small(name: str) -> None:
    bundle = load_bundle(PRETRAINED / name)
    exam = bundle.card.metrics.exam
    score = exam.accuracy if name == "keywords" else exam.macro_f1
    assert score >= BARS.get(name, 0)
    assert sum(file.stat().st_size for file in bundle.path.iterdir()) <= 5_000_000


@pytest.mark.parametrize("name", DRAWN)
def test_shipped_masks_reach_their_bar_and_say_how_sure_that_is(name: str) -> None:
    masks = load_bundle(PRETRAINED / name).card.metrics.masks
    assert masks is not None
    assert masks.dice.value >= 0.70
    assert masks.iou.value >= 0.55
    for figure in (masks.dice, masks.iou):
        assert figure.low < figure.value < figure.high
    assert masks.groups < masks.photographs  # intervals are over parent photographs, not crops


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_bundle_was_trained_as_its_domain_says_now(name: str) -> None:
    """Else a full retrain would start from another network than the one that serves."""
    domain, trained = load_domains(names=(name,))[name], load_bundle(PRETRAINED / name).domain
    shaping = {"input", "features", "network", "labels"}
    assert trained.model_dump(include=shaping) == domain.model_dump(include=shaping)


# The largest takes over a quarter of a minute.
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.deploy if n == "wildlife" else ()) for n in SHIPPED]
)
def test_the_exam_clips_themselves_give_the_figures_of_the_card(name: str, datasets: Path) -> None:
    bundle = load_bundle(PRETRAINED / name)
    again = from_clips(bundle, datasets)
    # Embeddings are kept in half precision: a clip on the fence may fall on the other side.
    assert abs(again.accuracy - bundle.card.metrics.exam.accuracy) <= 1 / bundle.card.split.exam


def test_the_paper_for_the_gate_has_every_exam_clip(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "bundle")
    answered = exam_predictions(bundle)
    assert answered.clip_ids == bundle.exam().clip_ids
    right = (answered.labels == answered.answers).mean()
    assert right == pytest.approx(bundle.card.metrics.exam.accuracy)


def test_the_command_prints_the_card_beside_what_it_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.evaluate.dataset_root", lambda: None)
    bundle = tiny_bundle(tmp_path / "bundle")
    assert main(["keywords", "--bundle", str(bundle.path)]) == 0
    printed = capsys.readouterr().out
    assert "card" in printed
    assert "embeddings" in printed
    assert f"{bundle.card.metrics.exam.macro_f1:.3f}" in printed


def test_a_missing_bundle_is_said_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keywords", "--bundle", str(tmp_path)]) == 1
    assert "card.json is missing" in capsys.readouterr().err
    with pytest.raises(BundleError):
        load_bundle(tmp_path)
