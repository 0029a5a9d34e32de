"""A feed-forward network over statistics of the log-mel and of its cepstrum: small, and quick.

The window is cut into stretches. Of each mel bin and each cepstral coefficient (MFCC) a stretch is
told by four numbers: mean, standard deviation, maximum and mean change from frame to frame. One
MLP turns them into the stretch's embedding, the same for every stretch, and attention pools them.
A stretch's evidence is therefore what the network says having heard that stretch and nothing else;
within it, and between stretches, the order of sounds is lost.

The MFCCs are made in here, by a fixed matrix: training, serving and ONNX cannot differ in them.
"""

import numpy as np
import scipy.fft
import torch
from torch import Tensor, nn
from torch.nn import functional

from data.domains.network_specs import MLPSpec
from models.networks.pooling import attention_pool

STATISTICS = 4
LEAST_VARIANCE = 1e-3  # of a log-mel; the root of less would blow up the last digits of silence


class StatisticsMLP(nn.Module):
    """features [batch, mels, frames] -> embedding [batch, D], frames [batch, stretches, D]."""

    cepstrum: Tensor

    def __init__(self, spec: MLPSpec, window: tuple[int, ...], stretches: int) -> None:
        super().__init__()
        n_mels, frames = window
        self.hop = frames // stretches
        self.length = frames - (stretches - 1) * self.hop  # all frames are heard: some twice
        self.register_buffer("cepstrum", cepstrum(n_mels, spec.mfcc), persistent=False)
        inputs = STATISTICS * (n_mels + spec.mfcc)
        self.level = nn.BatchNorm1d(inputs)
        layers: list[nn.Module] = []
        for outputs in (*spec.hidden, spec.embedding):
            layers += [nn.Dropout(spec.dropout), nn.Linear(inputs, outputs), nn.ReLU()]
            inputs = outputs
        self.layers = nn.Sequential(*layers[1:])  # what is told is told in full
        self.attention = nn.Linear(spec.embedding, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        rows = torch.cat((features, self.cepstrum @ features), dim=1)
        told = self.level(self.statistics(rows)).transpose(1, 2)
        return attention_pool(self.attention, self.layers(told))

    def statistics(self, rows: Tensor) -> Tensor:
        """[batch, R, frames] -> [batch, 4 R, stretches]"""
        # About the mean of the window: the squares of what is far from 0 have no digits to spare.
        middle = rows.mean(dim=2, keepdim=True)
        centred = rows - middle
        mean = self.mean(centred, self.length)
        variance = self.mean(centred.square(), self.length) - mean.square()
        deviation = torch.sqrt(torch.relu(variance) + LEAST_VARIANCE)
        highest = functional.max_pool1d(rows, self.length, self.hop)
        change = self.mean((rows[..., 1:] - rows[..., :-1]).abs(), self.length - 1)
        return torch.cat((mean + middle, deviation, highest, change), dim=1)

    def mean(self, rows: Tensor, length: int) -> Tensor:
        return functional.avg_pool1d(rows, length, self.hop)


def cepstrum(n_mels: int, coefficients: int) -> Tensor:
    """[coefficients, n_mels]: the first rows of the orthonormal DCT-II, as for MFCCs."""
    dct = scipy.fft.dct(np.eye(n_mels), norm="ortho", axis=0)[:coefficients]
    return torch.from_numpy(dct.astype(np.float32))
