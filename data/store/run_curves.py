"""The curves of a domain's last full retrains, from the events of their epochs."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # SQL is imported where a database is opened
    from data.store.store import Store

RUNS = 5  # whose curves are told
LOOKED_AT = 100  # runs, for the last ones that trained a network
EPOCHS = 500


@dataclass(frozen=True)
class RunCurve:
    run: str
    created: datetime
    epochs: tuple[dict[str, float], ...]


def run_curves(store: "Store", domain: str) -> list[RunCurve]:
    """Of those that came to an epoch, newest first."""
    found: list[RunCurve] = []
    for run in store.runs.find(domain, limit=LOOKED_AT):
        if run.mode != "full" or len(found) == RUNS:
            continue
        events = store.events.find(subject=f"run:{run.id}", limit=EPOCHS)
        epochs = tuple(_numbers(event.detail) for event in events if event.kind == "epoch")
        if epochs:
            found.append(RunCurve(run.id, run.created_at, epochs))
    return found


def _numbers(detail: dict[str, Any]) -> dict[str, float]:
    return {key: value for key, value in detail.items() if isinstance(value, int | float)}
