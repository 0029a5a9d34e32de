"""Where a bundle comes from, in the words of its card."""

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from data.domain import Domain
from data.sources import REPOSITORY


@dataclass(frozen=True)
class Origin:
    """`parent` is the digest of the champion of the time; `from_dataset` is how many of the
    first remembered clips came with the data set: the others people uploaded."""

    mode: str
    snapshot: str
    parent: str | None
    seconds: float
    epochs: int
    workers: int
    from_dataset: int

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
            },
        }


def code_version() -> str:
    """The commit this ran from; "unknown" outside a clone."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return found.stdout.strip()
