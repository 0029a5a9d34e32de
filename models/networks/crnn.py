"""Convolutions, then memory: a CRNN (Çakır et al. 2017, arXiv:1702.06286) with self-attention.

The blocks of `cnn.py` hear short stretches, an LSTM in both directions hears what came before and
after, and self-attention (Vaswani et al. 2017) compares each stretch with all others: for sounds
whose order matters. The price of it is evidence that is less strictly local than the CNN's: what a
frame's embedding says is about its own moment, but said in knowledge of the whole window.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from data.domains.network_specs import CRNNSpec
from models.networks.cnn import bands, stages
from models.networks.pooling import attention_pool


class SelfAttention(nn.Module):
    """[batch, T, D] -> [batch, T, D], added to what came in and normalised."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ask = nn.Linear(width, 3 * width)
        self.answer = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        parts = self.ask(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        found = functional.scaled_dot_product_attention(parts[0], parts[1], parts[2])
        mixed: Tensor = self.norm(x + self.answer(found.transpose(1, 2).flatten(2)))
        return mixed


class CRNN(nn.Module):
    """features [batch, mels, frames] -> embedding [batch, D], frames [batch, T, D]."""

    def __init__(self, spec: CRNNSpec, n_mels: int) -> None:
        super().__init__()
        first, width = spec.channels[0], 2 * spec.recurrent
        self.level = nn.BatchNorm1d(n_mels)
        self.stem = nn.Conv2d(1, first, 3, stride=2, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(first)
        # Time is halved twice in all: the LSTM takes its steps one after the other, so that each
        # halving more would save half its time, and blur what it is there to tell apart.
        self.blocks = stages(spec.channels, halvings=1)
        rows = spec.channels[-1] * bands(n_mels, len(spec.channels))
        self.narrow = nn.Linear(rows, width)
        self.dropout = nn.Dropout(spec.dropout)
        self.memory = nn.LSTM(width, spec.recurrent, batch_first=True, bidirectional=True)
        self.compare = SelfAttention(width, spec.heads)
        self.project = nn.Linear(width, spec.embedding)
        self.attention = nn.Linear(spec.embedding, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        x = self.level(features).unsqueeze(1)
        x = self.blocks(torch.relu(self.stem_norm(self.stem(x))))
        x = torch.relu(self.narrow(x.permute(0, 3, 1, 2).flatten(2)))
        x, _ = self.memory(self.dropout(x))
        frames = torch.relu(self.project(self.dropout(self.compare(x))))
        return attention_pool(self.attention, frames)
