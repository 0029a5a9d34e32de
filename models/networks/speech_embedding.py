"""Google's speech_embedding (Lin et al. 2020, arXiv:2002.01322), with a layer of our own.

The trunk has learnt 5,000 key phrases from 200 million clips of 2 s and stays as it is: what makes
a word, whoever says it, it knows better than a few speakers can teach. Good for spoken words with
few clips, at ten times the work of a small network. Its weights come from a backbone
(`training.start_from`).
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from data.domains.network_specs import SpeechEmbeddingSpec
from data.domains.sections import LogMelSpec
from data.media.audio.features import mel_corners_hz
from models.networks.pooling import attention_pool

WIDTH = 96
# Channels of each pair of convolutions, over mels and then over time, and how many mels and frames
# are pooled behind the pairs.
STAGES = (
    ((24,), (2, 2)),
    ((48, 48), (2, 1)),
    ((72, 72), (2, 2)),
    ((96, 96), (2, 1)),
    ((96, 96), (2, 2)),
)
SLOPE, LOWEST = 0.2, -0.4
PCM16 = 32768.0  # it heard samples as whole numbers
RATES = 2.0  # 16 kHz: of a tone, a sum of as many seconds has twice our samples


class SpeechEmbedding(nn.Module):
    """features [batch, 32 mels, frames of 10 ms] -> embedding [batch, D], frames [batch, T, D], T
    one in 80 ms, of 0.76 s each."""

    def __init__(self, spec: SpeechEmbeddingSpec, features: LogMelSpec) -> None:
        super().__init__()
        self.register_buffer("level", level(features), persistent=False)
        self.trunk = nn.ModuleList(_trunk()).requires_grad_(False)
        self.spread = nn.BatchNorm1d(WIDTH, affine=False)
        self.dropout = nn.Dropout(spec.dropout)
        self.project = nn.Linear(WIDTH, spec.embedding)
        self.attention = nn.Linear(spec.embedding, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            heard = self.heard(features)
        frames = self.dropout(self.spread(heard).transpose(1, 2))
        return attention_pool(self.attention, torch.relu(self.project(frames)))

    def heard(self, features: Tensor) -> Tensor:
        """What the trunk makes of the log-mel, [batch, 96, T]."""
        x = (features / np.log(10.0) + self.level).unsqueeze(1)
        for layer in self.trunk:
            x = layer(x)
        heard: Tensor = x.squeeze(2)
        return heard


class Activated(nn.Conv2d):
    """Over time it sees whole frames alone, over mels a row of nothing at each end."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(super().forward(x), SLOPE).clamp(min=LOWEST)


def _trunk() -> list[nn.Module]:
    layers: list[nn.Module] = [Activated(1, 24, 3, padding=(1, 0))]
    inputs = 24
    for channels, pooled in STAGES:
        for outputs in channels:
            layers.append(Activated(inputs, outputs, (3, 1), padding=(1, 0)))
            layers.append(Activated(outputs, outputs, (1, 3)))
            inputs = outputs
        layers.append(nn.MaxPool2d(pooled))
    return [*layers, nn.Conv2d(inputs, WIDTH, (1, 3))]


def level(features: LogMelSpec) -> Tensor:
    """[32, 1], what is added to our log-mel in powers of ten: its mels were triangles of one area
    (Slaney), from samples of PCM16, and 2 was added to the tenth of a decibel."""
    corners = mel_corners_hz(features)
    power = 2 / (corners[2:] - corners[:-2]) * (RATES * PCM16) ** 2
    return torch.from_numpy(np.log10(power) + 2).float().unsqueeze(1)
