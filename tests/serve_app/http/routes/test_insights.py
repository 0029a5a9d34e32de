"""insights.py: what an admin wants to know of data and model, without a plot or a long wait."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from data.domains.domain import load_domains
from serve_app.http.routes import insights
from support.fakes.fake_curator import Curator, Handle
from support.inputs.sounds import tone
from support.inputs.uploads import new_clip
from support.replica import ADMIN, Replica, answering

KEY = {"Authorization": f"Bearer {ADMIN}"}


@pytest.fixture
def replica() -> Iterator[Replica]:
    with tempfile.TemporaryDirectory() as home:
        replica = Replica("keywords", Path(home))
        replica.curator = Handle(Curator(replica.domain, replica.store))
        yield replica
        replica.store.close()


@pytest.fixture
def client(replica: Replica) -> Iterator[TestClient]:
    with answering(replica) as found:
        yield found


def told(client: TestClient) -> dict[str, Any]:
    answer = client.get("/insights", headers=KEY)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def keep(replica: Replica, hz: float, label: str | None, state: Any = "accepted") -> str:
    new = new_clip(tone(hz), label, state, domain="keywords")
    return replica.store.clips.add(new, who="ann")[0].sha256


def test_kept_clips_are_counted_by_label_state_source_and_week(
    client: TestClient, replica: Replica
) -> None:
    keep(replica, 400, "two")
    keep(replica, 500, "two", "quarantined")
    keep(replica, 600, None, "quarantined")
    keep(replica, 700, "one")
    snapshot = replica.store.snapshots.take("keywords", who="ann")
    replica.store.snapshots.mark_learnt(snapshot.id, "7", {}, who="ann")
    keep(replica, 800, "one")
    found = told(client)
    kept = found["kept"]
    assert kept["by_label"] == {
        "": {"quarantined": 1},
        "one": {"accepted": 2},
        "two": {"accepted": 1, "quarantined": 1},
    }
    year, week, _ = datetime.now(UTC).isocalendar()
    assert kept["by_week"] == {f"{year}-W{week:02}": {"": 1, "one": 2, "two": 2}}
    assert (kept["clips"], kept["by_split"]) == (5, {"": 5})
    assert sum(kept["by_source"].values()) == 5
    assert found["waiting"]["by_label"] == {"one": 1}
    assert found["waiting"]["sentence"] == "1 clip is waiting for training: 1 of one."


def test_the_model_is_told_by_its_own_card(client: TestClient, replica: Replica) -> None:
    found, card = told(client), replica.served.bundle.card
    assert found["digest"] == replica.served.digest
    assert found["exam"]["macro_f1"] == card.metrics.exam.macro_f1
    assert list(found["exam"]["per_class"]) == list(card.labels)
    assert np.array(found["exam"]["confusion"]).shape == (10, 10)
    folds = card.metrics.out_of_fold
    assert folds, "the shipped models are calibrated out of fold"
    assert found["exam"]["out_of_fold"]["macro_f1"]["low"] == folds.macro_f1.low
    assert f"{folds.clips} clips in {folds.groups}" in found["exam"]["out_of_fold"]["sentence"]
    weakest = min(card.labels, key=lambda label: card.metrics.exam.per_class[label].f1)
    assert found["exam"]["sentence"].startswith(f"Weakest is {weakest} (F1 0.")
    assert sum(found["learnt"]["by_label"].values()) == card.split.train + card.split.validation
    assert [one["version"] for one in found["versions"]] == ["2", "1"]


def test_curves_are_those_of_the_last_full_retrains(client: TestClient, replica: Replica) -> None:
    runs, events = replica.store.runs, replica.store.events
    for number, mode in enumerate(("full", "teach", "full")):
        runs.start(f"r{number}", domain="keywords", mode=mode, reason="", who="ann")  # type: ignore[arg-type]
    for epoch in (1, 2):
        detail = {"epoch": epoch, "train_loss": 1 / epoch, "note": "text"}
        events.add("epoch", subject="run:r0", who="ann", domain="keywords", detail=detail)
    (curve,) = told(client)["runs"]
    assert curve["run"] == "r0"
    assert curve["epochs"] == [{"epoch": 1, "train_loss": 1.0}, {"epoch": 2, "train_loss": 0.5}]


def test_labels_are_compared_by_what_they_sound_like(replica: Replica) -> None:
    domain = load_domains(names=("keywords",))["keywords"]
    mels = domain.window[0]
    frames = {label: [-8.0] * mels for label in domain.labels}
    frames["one"] = [-8.0] * (mels - 1) + [-5.0]
    card = replica.served.bundle.card
    training = card.training.model_copy(update={"log_mel_means": frames})
    bundle = replace(replica.served.bundle, card=card.model_copy(update={"training": training}))
    replica.champion.served = replace(replica.served, bundle=bundle)
    with answering(replica) as client:
        features = told(client)["features"]
    highest = f"{features['mel_hz'][-1]:,.0f} Hz (+13.0 dB)"
    assert f"one is strongest near {highest}" in features["sentences"]["one"]
    assert features["mfcc"]["two"][0] == pytest.approx(-8 * mels**0.5, abs=1e-3)
    assert features["mfcc"]["two"][1] == pytest.approx(0, abs=1e-3)


def test_it_is_found_once_for_many_who_ask(
    client: TestClient, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told(client)["kept"]["clips"] == 0
    keep(replica, 400, "two")
    assert told(client)["kept"]["clips"] == 0
    monkeypatch.setattr(insights, "FRESH_S", 0.0)
    replica.champion.served = replace(replica.served, digest="0" * 64)
    assert told(client)["kept"]["clips"] == 1
    keep(replica, 500, "two")
    assert told(client)["kept"]["clips"] == 2


def test_without_a_curator_only_the_versions_are_missing(
    client: TestClient, replica: Replica
) -> None:
    replica.curator = Handle(object())
    found = told(client)
    assert found["versions"] == []
    assert found["kept"]["sentence"] == "No clips are kept yet."
    assert client.get("/insights").status_code == 401


def test_photographs_are_counted_by_what_they_show(tmp_path: Path) -> None:
    replica = Replica("cracks", tmp_path)
    with answering(replica) as client:
        found = told(client)
    assert sum(found["learnt"]["by_label"].values()) == len(replica.served.bundle.memory().clip_ids)
    assert found["exam"]["masks"]["dice"]["value"] > 0.5
    assert found["features"] is None
    replica.store.close()
