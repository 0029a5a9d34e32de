"""What a run keeps beside its home while it trains: decoded clips and checkpoints.

They outlive a killed driver, so that the run can be started again, and nothing else: whoever asks
us to forget a clip need not look for its waveform. Folders are called by run and plan.
"""

import re
import shutil
from pathlib import Path

from data.errors import UnknownName
from data.store.store import Store

NAME = re.compile(r"(?P<run>.+)-[0-9a-f]{8}(\.clips(\.[0-9a-f]{32})?)?")


def folder_name(run_id: str, plan_digest: str) -> str:
    return f"{run_id}-{plan_digest[:8]}"


def discard(runs: Path, run_id: str) -> None:
    for folder, owner in _folders(runs):
        if owner == run_id:
            shutil.rmtree(folder, ignore_errors=True)


def sweep(runs: Path, store: Store) -> None:
    """Of runs that somebody else has closed: the service, after a driver was killed."""
    for folder, owner in _folders(runs):
        try:
            finished = store.runs.get(owner).finished_at is not None
        except UnknownName:
            continue
        if finished:
            shutil.rmtree(folder, ignore_errors=True)


def _folders(runs: Path) -> list[tuple[Path, str]]:
    found = [(folder, NAME.fullmatch(folder.name)) for folder in runs.glob("*")]
    return [(folder, match["run"]) for folder, match in found if match]
