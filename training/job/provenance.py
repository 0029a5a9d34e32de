"""Where a bundle comes from, in the words of its card."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from data.domains.domain import Domain
from data.install_paths import CHECKOUT
from models.networks.backbone import backbone_of


@dataclass(frozen=True)
class Origin:
    """`parent` is the digest of the champion of the time; `from_dataset` is how many of the
    first remembered clips came with the data set: the others people uploaded. `backbone` says what
    the network started from, where that was pretrained."""

    mode: str
    snapshot: str
    parent: str | None
    seconds: float
    epochs: int
    workers: int
    from_dataset: int
    backbone: Mapping[str, str] | None = None

    def card_fields(self, domain: Domain) -> dict[str, Any]:
        return {
            "mode": self.mode,
            "snapshot": self.snapshot,
            "parent": self.parent,
            "licence": domain.source.licence,
            "code_version": code_version(),
            "created": datetime.now(UTC),
            "training": {
                "seconds": round(self.seconds, 1),
                "epochs": self.epochs,
                "workers": self.workers,
                "from_dataset": self.from_dataset,
                "backbone": self.backbone,
            },
        }


def started_from(domain: Domain) -> dict[str, str] | None:
    card = backbone_of(domain)
    if card is None:
        return None
    return {"name": str(domain.start_from), "sha256": card.sha256, "licence": card.licence}


def code_version() -> str:
    """The commit this ran from, "-dirty" if files were changed since, or the version installed;
    "unknown" in a folder of sources that is no clone."""
    if CHECKOUT is None:
        return version("telltale")
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return found.stdout.strip()
