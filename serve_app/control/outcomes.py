"""What came of retrains, promotions and the quarantine: counted for /metrics, told to a webhook.

Whoever did it has written it into the audit log, a job or a replica of another machine: the curator
reads what is new there. What happened while no curator ran is in that log, but not told.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from data.store.events import Event
from data.store.store import Store
from serve_app.control.webhook import Webhook
from serve_app.replica.series import Key, key

OUTCOMES = ("promoted", "refused", "unchanged", "failed", "cancelled")
TOLD = ("promoted", "refused", "failed")
FILLING = (25, 100, 1_000, 5_000)  # clips that wait: told when each is reached
MOST_EVENTS = 1_000  # at a look


class Outcomes:
    """Blocking; looked at by one thread at a time."""

    def __init__(self, store: Store, domains: Iterable[str], webhook: Webhook | None) -> None:
        self._store = store
        self._tell = webhook.tell if webhook else lambda told: None
        self._last = store.events.last_id()
        self._filled = dict.fromkeys(domains, 0)
        self.retrains: Counter[Key] = Counter(
            {_runs(domain, outcome): 0 for domain in self._filled for outcome in OUTCOMES}
        )
        self.quarantined: dict[Key, float] = {}

    def look(self) -> None:
        for event in self._store.events.find(after=self._last, limit=MOST_EVENTS):
            self._last = event.id
            if event.kind == "finished":
                self._ended(event)
            elif event.kind in {"promoted", "rolled_back"}:
                self._say("promoted", event, {"message": f"{event.kind} by {event.who}"})
        for domain in self._filled:
            self._look_at_quarantine(domain)

    def _ended(self, event: Event) -> None:
        detail: Mapping[str, Any] = event.detail
        outcome, result = outcome_of(detail), detail.get("result") or {}
        self.retrains[_runs(str(event.domain), outcome)] += 1
        if outcome in TOLD:
            self._say(outcome, event, result)

    def _say(self, what: str, event: Event, result: Mapping[str, Any]) -> None:
        known = {name: result[name] for name in ("version", "reasons", "message") if name in result}
        about = {"domain": event.domain, "subject": event.subject, "who": event.who}
        self._tell({"event": what, "at": event.at.isoformat(), **about, **known})

    def _look_at_quarantine(self, domain: str) -> None:
        waiting = self._store.clips.counts(domain).get("quarantined", 0)
        self.quarantined[key("telltale_quarantined_clips", domain=domain)] = waiting
        filled = sum(waiting >= step for step in FILLING)
        if filled > self._filled[domain]:
            words = f"{waiting} clips of {domain} wait for an admin"
            about = {"at": datetime.now(UTC).isoformat(), "domain": domain, "message": words}
            self._tell({"event": "quarantine_filling", **about})
        self._filled[domain] = filled


def outcome_of(detail: Mapping[str, Any]) -> str:
    """Of a run that has ended, as OUTCOMES has them."""
    result = detail.get("result") or {}
    if detail["state"] != "succeeded":
        return str(detail["state"])
    if result.get("promoted"):
        return "promoted"
    return "refused" if "version" in result else "unchanged"


def _runs(domain: str, outcome: str) -> Key:
    return key("telltale_retrain_runs_total", domain=domain, outcome=outcome)
