"""Learning to segment, from photographs with masks to a version, and on to a correction."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data.datasets.dataset import read_file
from data.domains.domain import Mode
from data.home import Home, home_from_env
from data.media.image.photograph import decode_mask
from data.media.prepare import prepare
from data.store.clips.clip_rows import NewClip
from data.store.store import Store
from models.bundle import Bundle, load_bundle
from models.masks import ROWS
from models.runtime import OnnxModel
from support.inputs.pictures import cracked
from support.inputs.toy_photographs import TEST, toy_photo_domain, toy_photographs
from support.tiny import fresh_registry
from training.assess.calibration.thresholds import mask_figures
from training.assess.examine import exam_clips, from_clips, from_embeddings
from training.evaluate import mask_lines
from training.fitting.segment import mask_loss
from training.job.inputs import dry_run
from training.job.run import RetrainRun
from training.job.run_progress import Progress
from training.retrain import retrain

DOMAIN = toy_photo_domain(epochs=25)


@dataclass(frozen=True)
class Shop:
    """Where runs take place."""

    home: Home
    store: Store
    dataset: Path
    registry: Any

    def run(self, name: str, mode: Mode) -> tuple[RetrainRun, dict[str, Any]]:
        self.store.runs.start(name, domain="cracks", mode=mode, reason="test", who="ann")
        progress = Progress(self.store, name, "cracks", "ann", lambda line: None)
        progress.started(mode)
        run = RetrainRun(
            DOMAIN, self.home, self.store, self.registry, progress, self.dataset, self.home.root, 0
        )
        return run, retrain(run, mode, None, True)

    def champion(self) -> Bundle:
        version = self.registry.champion("cracks")
        return load_bundle(self.registry.fetch(version, self.home.bundles))

    def send(self, photograph: bytes, label: str, mask: bytes | None) -> str:
        new = NewClip(
            photograph,
            domain="cracks",
            label=label,
            group=None,
            state="accepted",
            source="feedback",
            duration_s=0.0,
            sample_rate_hz=0,
            mask=mask,
        )
        return self.store.clips.add(new, who="ann")[0].sha256


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    home = home_from_env({"TELLTALE_HOME": str(tmp_path_factory.mktemp("home"))})
    store = Store.open(home.database_url, home.storage_uri)
    dataset = toy_photographs(tmp_path_factory.mktemp("datasets"), DOMAIN)
    yield Shop(home, store, dataset, fresh_registry(home.root))
    store.close()


@pytest.fixture(scope="module")
def trained(shop: Shop) -> Bundle:
    _, result = shop.run("full", "full")
    assert result["promoted"], result["reasons"]
    return shop.champion()


def test_a_network_learns_dark_lines_and_its_card_tells_how_well(trained: Bundle) -> None:
    masks = trained.card.metrics.masks
    assert masks is not None
    assert masks.dice.low <= masks.dice.value <= masks.dice.high
    assert masks.dice.value > 0.7
    assert masks.iou.value == pytest.approx(masks.dice.value / (2 - masks.dice.value))
    assert (masks.photographs, masks.groups, masks.found) == (TEST, TEST, 1.0)
    assert trained.card.unknown_threshold == 0


def test_each_epoch_is_a_point_of_mlflows_curves(trained: Bundle, shop: Shop) -> None:
    client = shop.registry.client
    (record,) = client.search_runs([shop.registry.experiment("cracks")], "tags.mode = 'full'")
    for name in ("train_loss", "train_accuracy", "validation_dice", "validation_iou"):
        curve = [point.value for point in client.get_metric_history(record.info.run_id, name)]
        assert len(curve) == trained.card.training.model_dump()["epochs"]
    assert 0.5 < max(curve) <= record.data.metrics["validation_dice"] <= 1


def test_the_card_can_be_found_again_by_anybody(trained: Bundle, shop: Shop) -> None:
    exam = trained.card.metrics.exam
    assert from_embeddings(trained) == exam
    again = from_clips(trained, shop.dataset)
    assert abs(again.accuracy - exam.accuracy) * TEST * ROWS["segment"] <= 3
    assert trained.card.metrics.masks == mask_figures(
        trained.head(),
        exam_clips(trained.domain, shop.dataset),
        OnnxModel(trained).embed,
        read_file,
        trained.domain,
    )
    assert any("Dice" in line for line in mask_lines(trained, shop.dataset))


def test_the_bundle_serves_masks_and_tells_what_it_cannot_see(trained: Bundle) -> None:
    model = OnnxModel(trained)
    model.self_test()
    for crack in (True, False):
        photograph, mask = cracked(77, crack=crack)
        (scores,) = model.predict([prepare(photograph, DOMAIN).features])
        assert trained.labels[scores.best] == ("crack" if crack else "no crack")
        right = decode_mask(mask, DOMAIN.limits)
        assert scores.mask is not None
        if crack:
            assert (scores.mask & right).sum() / (scores.mask | right).sum() > 0.5
        else:
            assert not scores.mask.any()


def test_an_answer_tells_what_was_measured_and_shows_the_mask_when_asked(trained: Bundle) -> None:
    from serve_app.http.answers.answer_bodies import prediction
    from serve_app.replica.champion import load_served
    from serve_app.replica.scoring import Item, ScoredClip, answer_batch

    photograph, mask = cracked(78, side=192)
    served = load_served(trained.path, "1")
    items = [Item(raw, 0.0, float("inf")) for raw in (photograph, b"no photograph")]
    found, refused = answer_batch(served, items)
    assert isinstance(refused, Exception)
    assert isinstance(found, ScoredClip)
    body = prediction(found, "r", evidence=True)
    assert body["label"] == "crack"
    assert body["clip"] == {"width_px": 192, "height_px": 192, "container": "PNG"}
    right = decode_mask(mask, DOMAIN.limits)
    assert body["measure"]["area_percent"] == pytest.approx(100 * right.mean(), rel=0.4)
    assert body["measure"]["length_px"] == pytest.approx(195, rel=0.25)
    shown = decode_mask(base64.b64decode(body["evidence"]["mask_png"]), DOMAIN.limits)
    assert body["measure"]["area_percent"] == pytest.approx(100 * shown.mean(), abs=0.01)
    runs = body["evidence"]["mask_rle"]
    assert runs["size"] == [192, 192]
    assert sum(runs["counts"][1::2]) == shown.sum()
    assert prediction(found, "r")["evidence"] is None


def test_a_correction_is_taught_in_seconds_and_its_exam_is_sat_again(
    trained: Bundle, shop: Shop
) -> None:
    clip = shop.send(cracked(500, crack=False)[0], "no crack", None)
    _, mask = cracked(501)
    drawn = shop.send(cracked(501)[0], "crack", mask)
    run, result = shop.run("teach", "teach")
    assert "2 of the clips came from people" in dry_run(run, "full")
    assert result["promoted"], result["reasons"]
    taught = shop.champion()
    assert taught.card.mode == "teach"
    assert taught.card.split.train == trained.card.split.train + 2
    memory = dict(
        zip(taught.memory().clip_ids, taught.memory().labels_by_clip.tolist(), strict=True)
    )
    assert set(memory[clip]) == {0}
    assert set(memory[drawn]) == {0, 1}
    OnnxModel(taught).self_test()
    _, again = shop.run("again", "teach")
    assert again["reasons"] == ["there is nothing new to learn"]


def test_a_crack_without_a_mask_is_left_out_with_its_reason(trained: Bundle, shop: Shop) -> None:
    clip = shop.send(cracked(600)[0], "crack", None)
    shop.run("maskless", "teach")
    assert "no mask says where" in shop.store.clips.get("cracks", clip).reason


def test_the_loss_is_least_for_the_right_mask_and_heeds_the_few_pixels_of_a_crack() -> None:
    masks = torch.zeros(1, 1000)
    masks[0, :30] = 1
    right = torch.stack([-masks * 20 + 10, masks * 20 - 10], dim=2)
    nothing = torch.stack([torch.full((1, 1000), 10.0), torch.full((1, 1000), -10.0)], dim=2)
    assert float(mask_loss(right, masks)) < 0.01
    assert float(mask_loss(nothing, masks)) > 0.9
    assert np.isfinite(float(mask_loss(nothing, torch.zeros(1, 1000))))
