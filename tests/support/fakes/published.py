"""Weights of wav2vec 2.0 as torchaudio publishes them, in small and at random."""

from pathlib import Path
from typing import Any

import torch

from models.networks import torch_audio
from support.inputs.network_sizes import SMALL_WAV2VEC2


def published(seed: int = 0, **more: int) -> torch.nn.Module:
    """With dropout, and with a head for speech."""
    torch.manual_seed(seed)
    sizes: dict[str, Any] = {**SMALL_WAV2VEC2, **more}
    convolutions = [(10, 5), *[(3, 2)] * 4, *[(2, 2)] * 2]
    model = torch_audio.wav2vec2_model(
        extractor_mode="group_norm",
        extractor_conv_layer_config=[(sizes["channels"], *size) for size in convolutions],
        extractor_conv_bias=False,
        encoder_embed_dim=sizes["width"],
        encoder_projection_dropout=0.1,
        encoder_pos_conv_kernel=128,
        encoder_pos_conv_groups=16,
        encoder_num_layers=sizes["layers"],
        encoder_num_heads=sizes["heads"],
        encoder_attention_dropout=0.1,
        encoder_ff_interm_features=sizes["feed_forward"],
        encoder_ff_interm_dropout=0.1,
        encoder_dropout=0.1,
        encoder_layer_norm_first=False,
        encoder_layer_drop=0.1,
        aux_num_out=5,
    )
    return model.eval()


def saved(model: torch.nn.Module, folder: Path) -> Path:
    """Under the names that weight norm has in published files."""
    names = {"parametrizations.weight.original0": "weight_g"}
    names["parametrizations.weight.original1"] = "weight_v"
    state = {}
    for key, value in model.state_dict().items():
        for new, old in names.items():
            key = key.replace(new, old)
        state[key] = value
    path = folder / "base.pth"
    torch.save(state, path)
    return path
