import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from data.arrays import Floats
from data.domains.domain import Domain, load_domains
from data.errors import BundleError
from models.bundle import write_bundle
from models.card import BACKBONE, EXAM, WEIGHTS
from models.runtime import WINDOWS_AT_ONCE, OnnxModel, TorchModel
from models.tensors import Probe, exam_bytes
from support.tiny import tiny_bundle, tiny_clips, tiny_fields, tiny_files

DOMAINS = load_domains()
ONE = next(iter(DOMAINS.values()))


def clip(domain: Domain, windows: int = 1, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(-6, 4, (windows, *domain.window)).astype(np.float32)


def test_a_replica_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'mlflow', 'librosa', 'gradio', 'sklearn', 'pandas', 'onnx', 'scipy'}"
    question = f"import sys, models.runtime; print(sorted({heavy} & set(sys.modules)))"
    seen = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True)
    assert (seen.stdout.strip(), seen.stderr) == ("[]", "")


def test_onnx_runtime_reports_to_nobody(tmp_path: Path) -> None:
    """Where it would, it first makes a number of this machine, and a queue of reports."""
    at_home = {
        key: value for key, value in os.environ.items() if key not in ("CI", "XDG_CACHE_HOME")
    }
    asked = [sys.executable, "-c", "import models.runtime, models.export"]
    subprocess.run(asked, env=at_home | {"HOME": str(tmp_path)}, check=True)
    assert not list(tmp_path.rglob("*onnxruntime*"))


HEARD = {name: domain for name, domain in DOMAINS.items() if domain.task == "classify"}
SEEN = {name: domain for name, domain in DOMAINS.items() if domain.task == "segment"}


@pytest.mark.parametrize("domain", SEEN.values(), ids=list(SEEN))
def test_photographs_of_any_size_get_an_answer_and_a_mask(tmp_path: Path, domain: Domain) -> None:
    model = OnnxModel(tiny_bundle(tmp_path / "b", domain))
    model.self_test()
    rng = np.random.default_rng(0)
    sizes = [(64, 96), (96, 64), (120, 200)]
    batch = [rng.random((1, 3, *size)).astype(np.float32) for size in sizes]
    for scores, size in zip(model.predict(batch), sizes, strict=True):
        assert scores.probabilities.sum() == pytest.approx(1)
        assert scores.mask is not None
        assert scores.mask.shape == size
        assert scores.mask.any() == (scores.best == 1)


@pytest.mark.parametrize("domain", SEEN.values(), ids=list(SEEN))
@pytest.mark.parametrize(("share", "label"), [(0.0002, 0), (0.01, 1)])
def test_a_speck_is_no_crack(tmp_path: Path, domain: Domain, share: float, label: int) -> None:
    """What is sought has to be as large as the smallest thing worth the name."""
    model = OnnxModel(tiny_bundle(tmp_path / "b", domain))
    ground, sought = (model.head.weight[place] for place in range(2))
    pixels = np.tile(np.float32(ground), (1, 100 * 100, 1))
    pixels[0, : round(share * 10_000)] = sought
    model.embed = lambda features: (pixels.mean(axis=1), pixels)  # type: ignore[method-assign]
    (scores,) = model.predict([np.zeros((1, 3, 100, 100), np.float32)])
    assert scores.best == label
    assert scores.mask is not None
    assert scores.mask.sum() == (100 if label else 0)


@pytest.mark.parametrize("domain", HEARD.values(), ids=list(HEARD))
def test_a_clip_gets_a_probability_for_each_label_and_evidence_over_time(
    tmp_path: Path, domain: Domain
) -> None:
    model = OnnxModel(tiny_bundle(tmp_path / "b", domain))
    model.self_test()
    (scores,) = model.predict([clip(domain, windows=3)])
    assert scores.probabilities.shape == (len(domain.labels),)
    assert scores.probabilities.sum() == pytest.approx(1)
    assert scores.embedding.shape == (domain.network.embedding,)
    assert len(scores.evidence) % 3 == 0
    np.testing.assert_allclose(scores.evidence.sum(axis=1), 1, rtol=1e-5)


def test_a_clip_is_the_mean_of_its_windows_and_its_evidence_lays_them_end_to_end(
    tmp_path: Path,
) -> None:
    model = OnnxModel(tiny_bundle(tmp_path / "b", ONE))
    whole = clip(ONE, windows=4)
    (scores,) = model.predict([whole])
    pieces = model.predict([window[None] for window in whole])
    mean = np.mean([piece.logits for piece in pieces], axis=0)
    np.testing.assert_allclose(scores.logits, mean, atol=1e-5)
    laid = np.concatenate([piece.evidence for piece in pieces])
    np.testing.assert_allclose(scores.evidence, laid, atol=1e-6)


def test_a_clip_scores_the_same_alone_and_among_others(tmp_path: Path) -> None:
    model = OnnxModel(tiny_bundle(tmp_path / "b", ONE))
    batch = [clip(ONE, windows, seed=windows) for windows in (1, 2 * WINDOWS_AT_ONCE + 1, 3)]
    for together, one in zip(model.predict(batch), batch, strict=True):
        (alone,) = model.predict([one])
        np.testing.assert_allclose(together.probabilities, alone.probabilities, atol=1e-6)
        np.testing.assert_allclose(together.evidence, alone.evidence, atol=1e-6)


def test_a_higher_temperature_makes_a_model_less_sure_of_the_same_answer(tmp_path: Path) -> None:
    cold, warm = (
        OnnxModel(tiny_bundle(tmp_path / str(t), ONE, temperature=t)).predict([clip(ONE)])[0]
        for t in (0.5, 4.0)
    )
    np.testing.assert_array_equal(cold.logits, warm.logits)
    assert cold.probabilities.argmax() == warm.probabilities.argmax()
    assert cold.probabilities.max() > warm.probabilities.max()
    assert cold.evidence.max() > warm.evidence.max()


def test_many_threads_may_ask_one_model(tmp_path: Path) -> None:
    model = OnnxModel(tiny_bundle(tmp_path / "b", ONE))
    clips = [clip(ONE, seed=seed) for seed in range(40)]
    alone = [model.predict([one])[0].logits for one in clips]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda one: model.predict([one])[0].logits, clips))
    np.testing.assert_array_equal(alone, together)


def test_the_self_test_refuses_another_network(tmp_path: Path) -> None:
    files = {**tiny_files(ONE), BACKBONE: tiny_files(ONE, seed=1)[BACKBONE]}
    bundle = write_bundle(tmp_path / "b", card_fields=tiny_fields(ONE), files=files)
    with pytest.raises(BundleError, match="probe clip is off by"):
        OnnxModel(bundle).self_test()


def test_the_self_test_refuses_a_head_that_does_not_keep_the_cards_promise(tmp_path: Path) -> None:
    promise = tiny_fields(ONE)
    files = tiny_files(ONE, always=ONE.labels[0])
    bundle = write_bundle(tmp_path / "b", card_fields=promise, files=files)
    with pytest.raises(BundleError, match="the card says 1.000"):
        OnnxModel(bundle).self_test()


def test_the_self_test_refuses_a_network_of_another_size(tmp_path: Path) -> None:
    small = ONE.model_copy(update={"network": ONE.network.model_copy(update={"embedding": 16})})
    files = {**tiny_files(ONE), BACKBONE: tiny_files(small)[BACKBONE]}
    bundle = write_bundle(tmp_path / "b", card_fields=tiny_fields(ONE), files=files)
    with pytest.raises(BundleError, match=r"embeddings \(1, 16\)"):
        OnnxModel(bundle).self_test()


def test_a_backbone_that_is_no_network_is_refused(tmp_path: Path) -> None:
    files = {**tiny_files(ONE), BACKBONE: b"not a network"}
    bundle = write_bundle(tmp_path / "b", card_fields=tiny_fields(ONE), files=files)
    with pytest.raises(BundleError, match=f"{BACKBONE} cannot be run"):
        OnnxModel(bundle)


def test_a_backbone_with_other_outputs_is_refused(tmp_path: Path) -> None:
    shape = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N"]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Tanh", ["x"], ["y"])], "g", shape[:1], shape[1:])
    opset = [helper.make_opsetid("", 17)]
    other = helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()
    files = {**tiny_files(ONE), BACKBONE: other}
    bundle = write_bundle(tmp_path / "b", card_fields=tiny_fields(ONE), files=files)
    with pytest.raises(BundleError, match="right is features into embedding and frames"):
        OnnxModel(bundle)


def test_torch_and_onnx_give_the_same_answers(tmp_path: Path) -> None:
    import torch

    from models.export import export_backbone, weights_bytes
    from models.networks.kinds import build_network

    network = build_network(ONE).eval()
    with torch.inference_mode():
        embedding = network(torch.from_numpy(clip(ONE)))[0][0].numpy()
    files = {
        **tiny_files(ONE),
        BACKBONE: export_backbone(network, ONE),
        WEIGHTS: weights_bytes(network),
        EXAM: exam_bytes(tiny_clips(ONE, "exam"), Probe(clip(ONE), embedding)),
    }
    bundle = write_bundle(tmp_path / "b", card_fields=tiny_fields(ONE), files=files)
    batch = [clip(ONE, windows, seed=windows) for windows in (1, 3)]
    models = [OnnxModel(bundle), TorchModel(bundle, device="cpu")]
    for model in models:
        model.self_test()
    for ours, theirs in zip(*(model.predict(batch) for model in models), strict=True):
        np.testing.assert_allclose(ours.probabilities, theirs.probabilities, atol=1e-4)
        np.testing.assert_allclose(ours.evidence, theirs.evidence, atol=1e-4)


def test_a_bundle_without_weights_cannot_serve_on_torch(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=f"has no {WEIGHTS}"):
        TorchModel(tiny_bundle(tmp_path / "b", ONE), device="cpu")


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save

    files = {**tiny_files(ONE), WEIGHTS: save({"strange": np.zeros(1, np.float32)})}
    bundle = write_bundle(tmp_path / "b", card_fields=tiny_fields(ONE), files=files)
    with pytest.raises(BundleError, match="does not fit the network"):
        TorchModel(bundle, device="cpu")
