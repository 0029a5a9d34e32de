"""Whatever its kind, a network for sounds keeps what serving, evidence and bundles rely on."""

from pathlib import Path

import numpy as np
import pytest
import torch

from data.arrays import Floats
from data.domains.domain import AudioDomain, load_domains
from models.bundle import write_bundle
from models.card import BACKBONE, EXAM, HEAD, MEMORY, WEIGHTS
from models.export import LEVELS, PARITY, OnnxBackbone, check_parity, export_backbone, weights_bytes
from models.networks.kinds import STARTS, build_classifier, build_network, count_parameters
from models.runtime import OnnxModel, TorchModel
from models.tensors import Probe, exam_bytes, head_bytes, memory_bytes
from support.inputs.network_sizes import SIZES, of_kind
from support.tiny import tiny_clips, tiny_fields, tiny_head

FAULTS = load_domains(names=("faults",))["faults"]


@pytest.fixture(params=SIZES)
def domain(request: pytest.FixtureRequest) -> AudioDomain:
    kind: str = request.param
    return of_kind(FAULTS, kind)


def heard(domain: AudioDomain, windows: int, seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    shape = (windows, *domain.window)
    return rng.normal(*LEVELS[len(domain.window)], shape).astype(np.float32)


def random_network(domain: AudioDomain) -> torch.nn.Module:
    """With running statistics that are not the initial ones: those would hide a lost norm."""
    torch.manual_seed(0)
    network = build_network(domain)
    with torch.no_grad():
        network(torch.from_numpy(heard(domain, 4)))
    return network.eval()


def test_a_clips_logits_lie_within_those_of_its_frames(domain: AudioDomain) -> None:
    torch.manual_seed(0)
    classifier = build_classifier(domain).eval()
    with torch.inference_mode():
        embedding, frames = classifier.backbone(torch.from_numpy(heard(domain, 3)))
        clip, framewise = classifier.head(embedding), classifier.head(frames)
    assert embedding.shape == (3, domain.network.embedding)
    assert frames.shape[::2] == (3, domain.network.embedding)
    assert torch.all(clip <= framewise.amax(dim=1) + 1e-4)
    assert torch.all(clip >= framewise.amin(dim=1) - 1e-4)


def test_evidence_is_no_coarser_than_half_a_second(domain: AudioDomain) -> None:
    frames = random_network(domain)(torch.from_numpy(heard(domain, 1)))[1]
    assert domain.input.window_s / frames.shape[1] <= 0.5


def test_a_clip_is_scored_alike_alone_and_in_a_batch(domain: AudioDomain) -> None:
    network, features = random_network(domain), torch.from_numpy(heard(domain, 4))
    with torch.inference_mode():
        together, alone = network(features)[0][2], network(features[2:3])[0][0]
    assert torch.allclose(together, alone, atol=1e-5)


def test_the_exported_network_answers_as_the_trained_one_for_any_number_of_windows(
    domain: AudioDomain,
) -> None:
    network = random_network(domain)
    model = export_backbone(network, domain)
    assert check_parity(model, network, domain) <= PARITY
    for windows in (1, 7):
        features = heard(domain, windows, seed=windows)
        with torch.inference_mode():
            expected = [part.numpy() for part in network(torch.from_numpy(features))]
        for ours, theirs in zip(OnnxBackbone(model)(features), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=PARITY)


def test_silence_is_a_sound_like_any_other(domain: AudioDomain) -> None:
    silence = torch.full((1, *domain.window), 0.0 if len(domain.window) == 1 else np.log(1e-6))
    network = random_network(domain)
    with torch.inference_mode():
        right = network(silence)[0].numpy()
    assert np.isfinite(right).all()
    seen = OnnxBackbone(export_backbone(network, domain))(silence.numpy())[0]
    np.testing.assert_allclose(seen, right, atol=PARITY)


@pytest.mark.parametrize("kind", sorted(SIZES.keys() - STARTS.keys()))
def test_networks_that_are_trained_whole_stay_below_a_million_parameters(kind: str) -> None:
    assert count_parameters(build_classifier(of_kind(FAULTS, kind))) <= 1_000_000


def test_a_bundle_is_complete_in_its_folder_for_both_runtimes(
    domain: AudioDomain, tmp_path: Path
) -> None:
    network = random_network(domain)
    probe = heard(domain, 1)
    with torch.inference_mode():
        embedding = network(torch.from_numpy(probe))[0][0].numpy()
    files: dict[str, bytes | Path] = {
        BACKBONE: export_backbone(network, domain),
        WEIGHTS: weights_bytes(network),
        HEAD: head_bytes(tiny_head(domain)),
        MEMORY: memory_bytes(tiny_clips(domain, "memory")),
        EXAM: exam_bytes(tiny_clips(domain, "exam"), Probe(probe, embedding)),
    }
    bundle = write_bundle(tmp_path / "b", card_fields=tiny_fields(domain), files=files)
    assert bundle.domain == domain
    models = [OnnxModel(bundle), TorchModel(bundle, device="cpu")]
    batch = [heard(domain, windows, seed=windows) for windows in (1, 3)]
    for model in models:
        model.self_test()
    for ours, theirs in zip(*(model.predict(batch) for model in models), strict=True):
        np.testing.assert_allclose(ours.probabilities, theirs.probabilities, atol=1e-4)
        np.testing.assert_allclose(ours.evidence, theirs.evidence, atol=1e-4)
