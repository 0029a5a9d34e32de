"""cnn.py: what serving and evidence rely on."""

import pytest
import torch

from data.domains.domain import AudioDomain, load_domains
from models.networks.kinds import build_classifier, build_network, count_parameters

DOMAINS = [domain for domain in load_domains().values() if isinstance(domain, AudioDomain)]


@pytest.fixture(params=DOMAINS, ids=lambda domain: domain.name)
def domain(request: pytest.FixtureRequest) -> AudioDomain:
    found: AudioDomain = request.param
    return found


def test_a_network_stays_small_enough_to_answer_in_a_millisecond_or_two(
    domain: AudioDomain,
) -> None:
    assert count_parameters(build_classifier(domain)) <= 500_000


def test_a_clips_logits_lie_within_those_of_its_frames(domain: AudioDomain) -> None:
    """Attention is a weighted mean, so the head reads evidence off the frames."""
    torch.manual_seed(0)
    classifier = build_classifier(domain).eval()
    features = torch.randn(3, *domain.window)
    with torch.inference_mode():
        embedding, frames = classifier.backbone(features)
        clip, framewise = classifier.head(embedding), classifier.head(frames)
    assert embedding.shape == (3, domain.network.embedding)
    assert frames.shape[::2] == (3, domain.network.embedding)
    assert torch.all(clip <= framewise.amax(dim=1) + 1e-4)
    assert torch.all(clip >= framewise.amin(dim=1) - 1e-4)


def test_evidence_is_sharper_than_a_quarter_of_a_second(domain: AudioDomain) -> None:
    frames = build_network(domain).eval()(torch.zeros(1, *domain.window))[1]
    assert domain.input.window_s / frames.shape[1] <= 0.25


def test_a_clip_is_scored_alike_alone_and_in_a_batch(domain: AudioDomain) -> None:
    torch.manual_seed(0)
    network = build_network(domain).eval()
    features = torch.randn(4, *domain.window)
    with torch.inference_mode():
        together, alone = network(features)[0][2], network(features[2:3])[0][0]
    assert torch.allclose(together, alone, atol=1e-5)
