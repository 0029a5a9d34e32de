"""The networks by name, and each together with the head it is trained with."""

from collections.abc import Callable
from typing import Any

from safetensors.torch import load
from torch import Tensor, nn

from data.domains.domain import AudioDomain, Domain
from data.errors import BundleError
from models.bundle import Bundle
from models.card import WEIGHTS
from models.networks.backbone import start_from
from models.networks.cnn import DepthwiseCNN
from models.networks.crnn import CRNN
from models.networks.mlp import StatisticsMLP
from models.networks.speech_embedding import SpeechEmbedding
from models.networks.unet import AttentionUNet
from models.networks.wav2vec2 import Wav2Vec2, load_published


class Classifier(nn.Module):
    """Backbone and head as they are trained together; apart from each other in a bundle."""

    def __init__(self, backbone: nn.Module, embedding: int, labels: int, dropout: float) -> None:
        super().__init__()
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(embedding, labels)

    def forward(self, features: Tensor) -> Tensor:
        """features -> the clip's logits [n, labels]"""
        embedding, _ = self.backbone(features)
        logits: Tensor = self.head(self.dropout(embedding))
        return logits

    def everywhere(self, features: Tensor) -> Tensor:
        """features -> logits of every frame or pixel [n, T, labels]"""
        logits: Tensor = self.head(self.backbone(features)[1])
        return logits


# A domain's kind of network fits its section and modality, which the type of a table cannot say.
NETWORKS: dict[str, Callable[[Any, Any], nn.Module]] = {
    "cnn": lambda spec, domain: DepthwiseCNN(spec, domain.window[0]),
    "crnn": lambda spec, domain: CRNN(spec, domain.window[0]),
    "mlp": lambda spec, domain: StatisticsMLP(spec, domain.window, spec.stretches(domain.input)),
    "wav2vec2_base": lambda spec, domain: Wav2Vec2(spec),
    "speech_embedding": lambda spec, domain: SpeechEmbedding(spec, domain.features),
    "unet": lambda spec, domain: AttentionUNet(spec),
}
# The kinds that do not start from random weights.
STARTS: dict[str, Callable[[Any, Any], None]] = {"wav2vec2_base": load_published}


def build_network(domain: Domain) -> nn.Module:
    return NETWORKS[domain.network.kind](domain.network, domain)


def trained_network(bundle: Bundle) -> nn.Module:
    """Raises BundleError without weights, or if they do not fit the network."""
    network = build_network(bundle.domain)
    try:
        network.load_state_dict(load(bundle.read(WEIGHTS)))
    except RuntimeError as error:
        raise BundleError(f"{WEIGHTS} does not fit the network: {error}") from error
    return network


def start(backbone: nn.Module, domain: Domain) -> None:
    """Gives a new network the weights that it starts to learn from, where there are any; raises a
    TelltaleError in words if they cannot be had or do not fit."""
    if load := STARTS.get(domain.network.kind):
        load(backbone, domain.network)
    if isinstance(domain, AudioDomain) and domain.start_from:
        start_from(domain.start_from, backbone, domain)


def build_classifier(domain: Domain) -> Classifier:
    spec = domain.network
    return Classifier(build_network(domain), spec.embedding, len(domain.labels), spec.dropout)


def count_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
