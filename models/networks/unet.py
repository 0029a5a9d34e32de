"""The network for pictures: a slim Attention U-Net (Oktay et al. 2018, arXiv:1804.03999).

A photograph goes in; an embedding for every pixel comes out, and a linear head turns that into
scores as it does for a sound's frames. What is deep in the network knows what a crack is, what is
shallow knows where: gates let through only those shallow features that the deep ones ask for, so
that the texture of asphalt does not reach the answer.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from data.domains.network_specs import UNetSpec


class AttentionGate(nn.Module):
    """Additive attention: how much each place of `skip` [N, C, H, W] matters, judged by itself
    and by the deeper `gate` [N, C, H, W]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        middle = max(4, channels // 2)
        self.from_skip = nn.Conv2d(channels, middle, 1, bias=False)
        self.from_gate = nn.Conv2d(channels, middle, 1)
        self.weigh = nn.Conv2d(middle, 1, 1)

    def forward(self, skip: Tensor, gate: Tensor) -> Tensor:
        seen = torch.relu(self.from_skip(skip) + self.from_gate(gate))
        return skip * torch.sigmoid(self.weigh(seen))


class AttentionUNet(nn.Module):
    """features [N, 3, H, W], sides multiples of `spec.stride` -> the mean over all pixels [N, D],
    and pixels row by row [N, H * W, D]."""

    def __init__(self, spec: UNetSpec) -> None:
        super().__init__()
        channels = spec.channels
        self.level = nn.BatchNorm2d(3)
        self.down = nn.ModuleList([_block(3, channels[0], 1)])
        self.narrow, self.gates, self.up = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for inputs, outputs in pairwise(channels):
            self.down.append(_block(inputs, outputs, 2))
        self.dropout = nn.Dropout2d(spec.dropout)
        for deep, skip in pairwise(reversed(channels)):
            last = skip == channels[0]
            self.narrow.append(nn.Conv2d(deep, skip, 1))
            self.gates.append(AttentionGate(skip))
            # At full size each layer costs as much as a whole level further down.
            self.up.append(_block(2 * skip, *((spec.embedding, 1) if last else (skip, 2))))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        x = self.level(features)
        skips = []
        for block in self.down[:-1]:
            x = block(x)
            skips.append(x)
            x = functional.max_pool2d(x, 2)
        x = self.dropout(self.down[-1](x))
        for narrow, gate, block in zip(self.narrow, self.gates, self.up, strict=True):
            # Narrowed before it is enlarged: the same numbers for a quarter of the work.
            x = functional.interpolate(
                narrow(x), scale_factor=2.0, mode="bilinear", align_corners=False
            )
            x = block(torch.cat((gate(skips.pop(), x), x), dim=1))
        return x.mean(dim=(2, 3)), x.flatten(2).transpose(1, 2)


def _block(inputs: int, outputs: int, layers: int) -> nn.Sequential:
    """3 x 3 convolutions, each normalised: [N, inputs, H, W] -> [N, outputs, H, W]."""
    parts: list[nn.Module] = []
    for _ in range(layers):
        parts += [
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        ]
        inputs = outputs
    return nn.Sequential(*parts)
