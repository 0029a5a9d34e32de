"""Torch -> ONNX, checked: the exported network must answer as the trained one does.

Training runs in torch; serving needs only ONNX Runtime, which starts five times faster and takes
half the memory. The batch is free, and so are the sides of a photograph; a sound is cut equally.
"""

import io
import warnings

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn

from data.arrays import Floats
from data.domains.domain import Domain
from data.errors import BundleError
from models.blocked_layout import whole_blocks, without_ceil_mode
from models.silent_onnxruntime import onnxruntime

PARITY = 1e-4
OPSET = 17
FREE: dict[str, dict[str, dict[int, str]]] = {
    "audio": {"features": {0: "clips"}, "embedding": {0: "clips"}, "frames": {0: "clips"}},
    "image": {
        "features": {0: "clips", 2: "height", 3: "width"},
        "embedding": {0: "clips"},
        "frames": {0: "clips", 1: "pixels"},
    },
}
# Mean and spread of features by the number of axes that a window of them has.
LEVELS = {1: (0.0, 0.1), 2: (-6.0, 4.0), 3: (0.5, 0.3)}


def export_backbone(backbone: nn.Module, domain: Domain) -> bytes:
    """ONNX: features [N, *domain.window] -> embedding [N, D], frames [N, T, D]; T is H * W of a
    photograph, row by row."""
    backbone = backbone.eval().cpu()
    model = without_ceil_mode(_traced(whole_blocks(backbone, domain), domain))
    check_parity(model, backbone, domain)
    return model


def _traced(backbone: nn.Module, domain: Domain) -> bytes:
    sample = torch.zeros(2, *domain.window)
    model = io.BytesIO()
    free = FREE[domain.modality]
    with warnings.catch_warnings():
        # The exporter based on tracing is announced to go. It needs 1 s where its successor needs
        # 10, and writes a graph that ONNX Runtime optimises better.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            backbone,
            (sample,),
            model,  # type: ignore[arg-type]  # it takes files as well
            input_names=["features"],
            output_names=["embedding", "frames"],
            dynamic_axes=free,
            opset_version=OPSET,
            dynamo=False,
        )
    return model.getvalue()


def check_parity(model: bytes, backbone: nn.Module, domain: Domain) -> float:
    """The largest difference on noise shaped like a batch of features, relative to the largest
    output where that exceeds 1; BundleError if it is above PARITY."""
    rng = np.random.default_rng(0)
    features = rng.normal(*LEVELS[len(domain.window)], (3, *domain.window)).astype(np.float32)
    with torch.inference_mode():
        expected = [output.numpy() for output in backbone(torch.from_numpy(features))]
    seen = OnnxBackbone(model)(features)
    worst = max(_difference(a, b) for a, b in zip(seen, expected, strict=True))
    if not worst <= PARITY:
        raise BundleError(
            f"the exported network differs from the trained one by {worst:.2g}, "
            f"allowed is {PARITY:g}; the export is not used"
        )
    return worst


class OnnxBackbone:
    """An exported network before it has a bundle; on one thread, to leave serving the others."""

    def __init__(self, model: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, features: Floats) -> tuple[Floats, Floats]:
        """features [N, ...] -> embedding [N, D], frames [N, T, D]"""
        embedding, frames = self._session.run(["embedding", "frames"], {"features": features})
        return embedding, frames


def weights_bytes(backbone: nn.Module) -> bytes:
    """The backbone's weights as safetensors: to go on training, or to serve on a GPU."""
    state: dict[str, Tensor] = backbone.state_dict()
    return save({name: value.detach().cpu().contiguous() for name, value in state.items()})


def _difference(seen: Floats, expected: Floats) -> float:
    scale = max(1.0, float(np.abs(expected).max()))
    return float(np.abs(seen - expected).max()) / scale
