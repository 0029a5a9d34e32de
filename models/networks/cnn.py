"""The network: depthwise-separable residual blocks and attention over time.

A log-mel spectrogram goes in; one embedding for the clip and one for each stretch of time come
out. The clip's embedding is a weighted mean of the frames' embeddings, so a linear head gives the
clip's logits as the same weighted mean of the frames' logits: where the answer comes from can be
read off without a second pass.

Depthwise-separable convolutions because the network must answer in about a millisecond on one
core; batch normalisation over the mel bins at the input because it learns the level of every bin
by itself, and no file of feature statistics has to travel with the model.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from data.domains.network_specs import CNNSpec
from models.networks.pooling import attention_pool


class DepthwiseBlock(nn.Module):
    """3 x 3 over space, 1 x 1 over channels, added to its own (pooled and widened) input."""

    def __init__(self, inputs: int, outputs: int, stride: tuple[int, int]) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(
            inputs, inputs, 3, stride=stride, padding=1, groups=inputs, bias=False
        )
        self.spatial_norm = nn.BatchNorm2d(inputs)
        self.mix = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.mix_norm = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != (1, 1):
            self.shortcut = nn.AvgPool2d(stride, ceil_mode=True)
        self.widen: nn.Module = nn.Identity()
        if inputs != outputs:
            self.widen = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.spatial_norm(self.spatial(x)))
        y = self.mix_norm(self.mix(y))
        return torch.relu(y + self.widen(self.shortcut(x)))


class DepthwiseCNN(nn.Module):
    """features [batch, mels, frames] -> embedding [batch, D], frames [batch, T, D]."""

    def __init__(self, spec: CNNSpec, n_mels: int) -> None:
        super().__init__()
        first = spec.channels[0]
        self.level = nn.BatchNorm1d(n_mels)
        self.stem = nn.Conv2d(1, first, 3, stride=2, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(first)
        # Time is halved with frequency three times in all (the stem counts), never more: frames
        # of about 0.1 s keep the evidence sharp.
        self.blocks = stages(spec.channels, halvings=2)
        self.bands = bands(n_mels, len(spec.channels))
        self.project = nn.Linear(spec.channels[-1] * self.bands, spec.embedding)
        self.dropout = nn.Dropout(spec.dropout)
        self.attention = nn.Linear(spec.embedding, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        x = self.level(features).unsqueeze(1)
        x = torch.relu(self.stem_norm(self.stem(x)))
        x = self.blocks(x)
        # Bands side by side and not their mean: high and low are different sounds. A linear layer
        # over them is a convolution as high as there are bands, which needs no other layout.
        weight = self.project.weight.view(self.project.out_features, -1, self.bands, 1)
        x = torch.relu(functional.conv2d(self.dropout(x), weight, self.project.bias))
        frames = x.permute(0, 2, 3, 1).squeeze(1)
        return attention_pool(self.attention, frames)


def stages(channels: Sequence[int], halvings: int) -> nn.Sequential:
    """Two blocks for each number of channels after the stem's, [N, C, bands, T]: each halves the
    bands, the first `halvings` of them time as well."""
    blocks: list[nn.Module] = []
    for depth, (inputs, outputs) in enumerate(pairwise(channels)):
        blocks += [DepthwiseBlock(inputs, outputs, (2, 2) if depth < halvings else (2, 1))]
        blocks += [DepthwiseBlock(outputs, outputs, (1, 1))]
    return nn.Sequential(*blocks)


def bands(n_mels: int, halvings: int) -> int:
    """Rows left of the spectrogram after the stem and the blocks, each of which rounds up."""
    for _ in range(halvings):
        n_mels = (n_mels + 1) // 2
    return n_mels
