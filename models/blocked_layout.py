"""The network as ONNX Runtime's fastest CPU kernels want it; the same answers in half the time.

Those kernels keep channels in blocks of one SIMD register (NCHWc). Whatever they cannot take is
done slowly in between, with a change of layout before and after it. Two things threw this network
out: a number of channels that is no whole number of blocks, and pooling with `ceil_mode`.
"""

from collections.abc import Sequence
from typing import Any

import onnx
import torch
from onnx import helper, shape_inference
from torch import nn

from data.domains.domain import Domain
from data.domains.network_specs import CNNSpec
from models.networks.kinds import build_network

BLOCK = 16  # float32 values of an AVX-512 register; half of it, AVX2's, divides it


def whole_blocks(backbone: nn.Module, domain: Domain) -> nn.Module:
    """The same network with silent channels added until their number is a multiple of BLOCK.

    A new channel has no weight in or out and no scale in its norm: it is 0 for every input.
    """
    # A U-Net lays channels side by side, where silent ones would come in between; for the others
    # there is nothing to be gained.
    if not isinstance(domain.network, CNNSpec):
        return backbone
    spec = domain.network.model_copy(update={"channels": _rounded(domain.network.channels)})
    wide = build_network(domain.model_copy(update={"network": spec}))
    own = backbone.state_dict()
    with torch.no_grad():
        for name, value in wide.state_dict().items():
            value.zero_()
            value[tuple(slice(size) for size in own[name].shape)] = own[name]
    return wide.eval()


def _rounded(channels: Sequence[int]) -> tuple[int, ...]:
    """Neighbours stay alike or unlike: between unlike ones the network has a layer of its own."""
    before = whole = 0
    rounded = []
    for count in channels:
        if count != before:
            least = -(-count // BLOCK) * BLOCK
            whole = least if least != whole else least + BLOCK
        rounded.append(whole)
        before = count
    return tuple(rounded)


def without_ceil_mode(model: bytes) -> bytes:
    """Writes out the rows and columns that `ceil_mode` adds at the end of an average pool.

    They are left out of the mean either way, so that the numbers stay the same.
    """
    network = shape_inference.infer_shapes(onnx.load_from_string(model))
    sizes = {
        value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim][2:]
        for value in network.graph.value_info
    }
    for node in network.graph.node:
        if node.op_type == "AveragePool" and _given(node).get("ceil_mode"):
            node.CopyFrom(_padded_pool(node, sizes[node.input[0]]))
    return bytes(network.SerializeToString())


def _padded_pool(pool: onnx.NodeProto, size: list[int]) -> onnx.NodeProto:
    given = _given(pool)
    assert not any(given["pads"]), given
    kernel, strides = given["kernel_shape"], given["strides"]
    added = [
        -(-(length - width) // stride) * stride + width - length
        for length, width, stride in zip(size, kernel, strides, strict=True)
    ]
    return helper.make_node(
        "AveragePool",
        pool.input,
        pool.output,
        pool.name,
        kernel_shape=kernel,
        strides=strides,
        pads=[0, 0, *added],
        count_include_pad=0,
    )


def _given(node: onnx.NodeProto) -> dict[str, Any]:
    return {part.name: helper.get_attribute_value(part) for part in node.attribute}
