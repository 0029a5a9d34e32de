"""wav2vec 2.0 as it was published (Baevski et al. 2020, arXiv:2006.11477), with a layer of our own.

The trunk has learnt to hear from 960 h of speech and stays as it is; what is trained is a
projection of its frames and how much each of them matters. Good where clips are few and the CPU's
time is not: it has 94 million parameters. Its weights are only read when training starts; a bundle
then carries them like those of any other network.
"""

from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from data.domains.network_specs import Wav2Vec2Spec
from data.errors import DownloadError, InvalidParameter
from models.networks.pooling import attention_pool

WHERE = "name a file of torchaudio's WAV2VEC2_BASE (wav2vec2_fairseq_base_ls960.pth)"


class Wav2Vec2(nn.Module):
    """features [batch, samples] at 16 kHz -> embedding [batch, D], frames [batch, T, D], T one in
    20 ms. The trunk is random until `load_published` or a bundle's weights fill it."""

    def __init__(self, spec: Wav2Vec2Spec) -> None:
        super().__init__()
        self.trunk = _frozen(_trunk(spec))
        self.dropout = nn.Dropout(spec.dropout)
        self.project = nn.Linear(spec.width, spec.embedding)
        self.attention = nn.Linear(spec.embedding, 1)

    def train(self, mode: bool = True) -> Self:
        """The trunk never learns, so it drops nothing either."""
        super().train(mode)
        self.trunk.eval()
        return self

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            heard, _ = self.trunk(features)
        return attention_pool(self.attention, torch.relu(self.project(self.dropout(heard))))


def load_published(network: Wav2Vec2, spec: Wav2Vec2Spec) -> None:
    """Raises DownloadError where the weights cannot be had, InvalidParameter if they do not fit."""
    trunk = _trunk(spec)
    try:
        # Layers beyond those that are asked for, and a head for speech, are left out.
        lacking = trunk.load_state_dict(_published(spec), strict=False).missing_keys
    except RuntimeError as error:
        raise InvalidParameter(f"network.weights do not fit network.kind: {error}") from error
    if lacking:
        raise InvalidParameter(
            f"network.weights lack {len(lacking)} parts, as {lacking[0]}; {WHERE}"
        )
    network.trunk = _frozen(trunk)


def _published(spec: Wav2Vec2Spec) -> dict[str, Tensor]:
    from models.networks import torch_audio

    if spec.weights is None:
        try:
            return dict(torch_audio.WAV2VEC2_BASE.get_model().state_dict())
        except OSError as error:
            raise DownloadError(
                f"torchaudio could not fetch the weights of {spec.kind}: {error}; without a "
                f"network, {WHERE} in network.weights"
            ) from error
    try:
        state: dict[str, Tensor] = torch.load(spec.weights, "cpu", weights_only=True)
    except Exception as error:  # no file, no archive, or one that holds more than tensors
        raise InvalidParameter(
            f"network.weights cannot be read from {spec.weights.name}: {error}; {WHERE}"
        ) from error
    return state


def _trunk(spec: Wav2Vec2Spec) -> Any:
    """As torchaudio's `wav2vec2_base`, in the sizes of `spec`."""
    from models.networks import torch_audio  # slow to load, which other networks do without

    convolutions = [(10, 5), *[(3, 2)] * 4, *[(2, 2)] * 2]  # kernel and stride: 320 samples in all
    return torch_audio.wav2vec2_model(
        extractor_mode="group_norm",
        extractor_conv_layer_config=[(spec.channels, *sizes) for sizes in convolutions],
        extractor_conv_bias=False,
        encoder_embed_dim=spec.width,
        encoder_projection_dropout=0.0,
        encoder_pos_conv_kernel=128,
        encoder_pos_conv_groups=16,
        encoder_num_layers=spec.layers,
        encoder_num_heads=spec.heads,
        encoder_attention_dropout=0.0,
        encoder_ff_interm_features=spec.feed_forward,
        encoder_ff_interm_dropout=0.0,
        encoder_dropout=0.0,
        encoder_layer_norm_first=False,
        encoder_layer_drop=0.0,
        aux_num_out=None,
    )


def _frozen(trunk: Any) -> nn.Module:
    """Its weight norm written out: it is there to learn with, and would be worked out each time."""
    parametrize.remove_parametrizations(trunk.encoder.transformer.pos_conv_embed.conv, "weight")
    frozen: nn.Module = trunk.requires_grad_(False).eval()
    return frozen
