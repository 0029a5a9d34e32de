"""export.py: what is served is what was trained."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from data.domains.domain import Domain, load_domains
from data.errors import BundleError
from models.blocked_layout import whole_blocks
from models.export import PARITY, OnnxBackbone, check_parity, export_backbone, weights_bytes
from models.networks.kinds import build_network
from models.silent_onnxruntime import onnxruntime

ALL = pytest.mark.parametrize("domain", load_domains().values(), ids=lambda domain: domain.name)
HEARD = [domain for domain in load_domains().values() if domain.network.kind == "cnn"]


@pytest.fixture(scope="module")
def domain() -> Domain:
    return load_domains(names=("keywords",))["keywords"]


def random_network(domain: Domain, seed: int) -> torch.nn.Module:
    """With running statistics that are not the initial ones: those would hide a lost norm."""
    torch.manual_seed(seed)
    network = build_network(domain)
    with torch.no_grad():
        for _ in range(3):
            network(torch.randn(4, *domain.window) * 3 - 5)
    return network.eval()


@ALL
def test_the_exported_network_answers_as_the_trained_one(domain: Domain) -> None:
    network = random_network(domain, 0)
    assert check_parity(export_backbone(network, domain), network, domain) <= PARITY


@pytest.mark.parametrize("domain", HEARD, ids=lambda domain: domain.name)
def test_no_layer_of_an_exported_network_leaves_the_blocked_layout(
    domain: Domain, tmp_path: Path
) -> None:
    """Each change of layout, and the slow kernel that asked for it, once doubled the time."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    model = export_backbone(random_network(domain, 0), domain)
    onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    graph = onnx.load(tmp_path / "optimised.onnx").graph
    changes = [node.op_type for node in graph.node if node.op_type.startswith("Reorder")]
    assert changes in ([], ["ReorderOutput"])  # none where the CPU has no such kernels


def test_silent_channels_change_no_answer(domain: Domain) -> None:
    odd = domain.network.model_copy(update={"channels": (5, 17, 30, 30, 33)})
    narrow = domain.model_copy(update={"network": odd})
    network = random_network(narrow, 0)
    features = torch.randn(2, *domain.window)
    with torch.inference_mode():
        padded, plain = whole_blocks(network, narrow)(features), network(features)
    for ours, theirs in zip(padded, plain, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    assert check_parity(export_backbone(network, narrow), network, narrow) <= PARITY


def test_the_export_takes_any_number_of_windows(domain: Domain) -> None:
    backbone = OnnxBackbone(export_backbone(random_network(domain, 0), domain))
    features = np.zeros((7, *domain.window), np.float32)
    embedding, frames = backbone(features)
    assert len(embedding) == len(frames) == 7


def test_an_export_that_answers_otherwise_is_refused(domain: Domain) -> None:
    model = export_backbone(random_network(domain, 0), domain)
    with pytest.raises(BundleError, match="differs from the trained one"):
        check_parity(model, random_network(domain, 1), domain)


def test_weights_are_enough_to_go_on_training(domain: Domain) -> None:
    from safetensors.torch import load

    network = random_network(domain, 0)
    again = build_network(domain)
    again.load_state_dict(load(weights_bytes(network)))
    features = torch.randn(1, *domain.window)
    assert torch.equal(again.eval()(features)[0], network(features)[0])
