"""A full retrain, teaching and answering, with each kind of network there is for sounds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.domains.domain import Mode, load_domains
from data.home import home_from_env
from data.media.prepare import prepare
from data.store.clips.clip_rows import NewClip
from data.store.store import Store
from models.bundle import load_bundle
from models.runtime import OnnxModel, TorchModel
from support.fakes.published import published, saved
from support.inputs.network_sizes import of_kind
from support.inputs.sounds import tone
from support.inputs.toy_dataset import toy_dataset, toy_domain
from support.tiny import fresh_registry
from training.assess.examine import from_clips, from_embeddings
from training.job.run import RetrainRun
from training.job.run_progress import Progress
from training.retrain import retrain

TOY = toy_domain(load_domains(names=("faults",))["faults"], epochs=2)


SMALLER: dict[str, Callable[[Path], dict[str, object]]] = {
    "crnn": lambda folder: {"channels": [8, 16], "recurrent": 16, "embedding": 32},
    "mlp": lambda folder: {"hidden": [32], "embedding": 32},
    "speech_embedding": lambda folder: {},
    "wav2vec2_base": lambda folder: {"weights": saved(published(), folder)},
}


# The pretrained ones take half a minute each.
PRETRAINED = ("speech_embedding", "wav2vec2_base")
KINDS = [pytest.param(k, marks=pytest.mark.deploy if k in PRETRAINED else ()) for k in SMALLER]


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_is_trained_packed_taught_and_answers_with_the_same_numbers(
    kind: str, tmp_path: Path
) -> None:
    domain = of_kind(TOY, kind, **SMALLER[kind](tmp_path))
    home = home_from_env({"TELLTALE_HOME": str(tmp_path / "home")})
    store = Store.open(home.database_url, home.storage_uri)
    registry, dataset = fresh_registry(home.root), toy_dataset(tmp_path / "datasets", TOY)

    def run(mode: Mode) -> dict[str, Any]:
        store.runs.start(mode, domain=domain.name, mode=mode, reason="test", who="anna")
        progress = Progress(store, mode, domain.name, "anna", lambda line: None)
        wired = RetrainRun(
            domain, home, store, registry, progress, dataset, tmp_path / "none", workers=0
        )
        return retrain(wired, mode, None, may_promote=False)

    registry.promote(domain.name, run("full")["version"])  # two epochs would not pass the gate
    champion = registry.champion(domain.name)
    assert champion is not None
    bundle = load_bundle(registry.fetch(champion, home.bundles))
    assert bundle.domain.network.kind == bundle.card.network.kind == kind
    assert bundle.card.metrics.exam == from_embeddings(bundle)
    found = from_clips(bundle, dataset)
    assert abs(found.accuracy - bundle.card.metrics.exam.accuracy) <= 1 / bundle.card.split.exam

    raw = tone(1234, domain.input.window_s * 1.6, domain.input.sample_rate_hz, seed=5)
    features = prepare(raw, domain).features
    assert len(features) > 1
    served, trained = OnnxModel(bundle), TorchModel(bundle, device="cpu")
    served.self_test()
    (ours,), (theirs,) = served.predict([features]), trained.predict([features])
    np.testing.assert_allclose(ours.probabilities, theirs.probabilities, atol=1e-4)
    np.testing.assert_allclose(ours.evidence, theirs.evidence, atol=1e-4)

    clip = NewClip(raw, domain.name, "fluid", None, "accepted", "upload", 1.6, 16000)
    sha256 = store.clips.add(clip, who="anna")[0].sha256
    version = run("teach")["version"]
    (taught,) = (each for each in registry.versions(domain.name) if each.number == version)
    assert sha256 in load_bundle(registry.fetch(taught, home.bundles)).memory().clip_ids
    store.close()
