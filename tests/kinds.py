"""Domains with another kind of network than the one they ship with, in sizes that make sense."""

from typing import Any

from data.domain import AudioDomain, Domain

NETWORKS: dict[str, dict[str, Any]] = {
    "crnn": {"channels": [32, 64, 96], "recurrent": 64, "heads": 4, "embedding": 128},
    "mlp": {"stretch_s": 0.5, "mfcc": 20, "hidden": [256], "embedding": 128},
}


def of_kind(domain: Domain, kind: str, **more: object) -> AudioDomain:
    raw = domain.model_dump()
    raw["network"] = {"kind": kind, "dropout": 0.2, **NETWORKS[kind], **more}
    return AudioDomain.model_validate(raw)
