"""Domains with another kind of network than the one they ship with, in sizes that make sense."""

from typing import Any

from data.domains.domain import AudioDomain, Domain
from data.domains.network_specs import SPEECH_FEATURES, SPEECH_RATE_HZ

SMALL_WAV2VEC2 = {"layers": 2, "width": 32, "heads": 4, "feed_forward": 64, "channels": 16}
SIZES: dict[str, dict[str, Any]] = {
    "crnn": {"channels": [32, 64, 96], "recurrent": 64, "heads": 4, "embedding": 128},
    "mlp": {"stretch_s": 0.5, "mfcc": 20, "hidden": [256], "embedding": 128},
    "speech_embedding": {"embedding": 128},
    "wav2vec2_base": {**SMALL_WAV2VEC2, "embedding": 32},
}


def of_kind(domain: Domain, kind: str, **more: object) -> AudioDomain:
    raw = domain.model_dump()
    raw["network"] = {"kind": kind, "dropout": 0.2, **SIZES[kind], **more}
    raw["training"]["start_from"] = None  # which is of another kind
    raw["training"]["augment"]["colour_db"] = 0.0  # of a log-mel only, which not all of them hear
    if kind == "speech_embedding":
        raw["input"]["sample_rate_hz"] = SPEECH_RATE_HZ
        raw["features"] = SPEECH_FEATURES.model_dump()
        raw["training"]["start_from"] = "speech"
    if kind == "wav2vec2_base":
        raw["features"] = {"kind": "waveform"}
        raw["training"]["augment"] |= {"freq_masks": 0, "time_masks": 0}
    return AudioDomain.model_validate(raw)
