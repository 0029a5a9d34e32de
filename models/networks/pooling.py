"""How a clip's embedding follows from those of its frames, the same in every network for sounds."""

import torch
from torch import Tensor, nn


def attention_pool(weigh: nn.Linear, frames: Tensor) -> tuple[Tensor, Tensor]:
    """frames [batch, T, D] -> their weighted mean [batch, D], and the frames again.

    `weigh` [D -> 1] says how much a frame matters. A linear head after it gives the clip's logits
    as the same weighted mean of the frames' logits: that is the evidence.
    """
    weights = torch.softmax(weigh(frames).transpose(1, 2), dim=2)
    return (weights @ frames).squeeze(1), frames
