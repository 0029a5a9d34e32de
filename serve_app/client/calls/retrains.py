"""Retrains, and the versions that they make."""

import json
from dataclasses import dataclass, field
from typing import TypedDict, Unpack

import httpx

from ..answers import Mode
from ..call import Call, EventReader, get, one, part, post, raw, segment
from ..connection import Connection, ServiceError, backoff_s
from ..service_answers import FollowedRun, ModelVersion, Move, Purged, Run, RunEvent, Runs, Versions

ENDED = {"succeeded", "failed", "cancelled"}
# A run may say nothing for a while, but a proxy may also drop a quiet stream without a word.
SILENCE_S = 20.0


class Options(TypedDict, total=False):
    """What one run does otherwise than its domain says; `POST /retrain` tells what each means."""

    workers: int | None
    epochs: int | None
    learning_rate: float | None
    batch_size: int | None
    snapshot: str | None
    dry_run: bool


def retrain(domain: str, mode: Mode, reason: str, **options: Unpack[Options]) -> Call[Run]:
    return post(f"/{domain}/retrain", one(Run), mode=mode, reason=reason, **options)


def runs(domain: str) -> Call[tuple[Run, ...]]:
    return get(f"/{domain}/retrain", part(Runs, lambda found: found.runs))


def run(domain: str, run_id: str) -> Call[FollowedRun]:
    """With its events so far."""
    return get(_path(domain, run_id), one(FollowedRun))


def cancel(domain: str, run_id: str) -> Call[Run]:
    return Call("DELETE", _path(domain, run_id), one(Run))


def models(domain: str) -> Call[tuple[ModelVersion, ...]]:
    return get(f"/{domain}/models", part(Versions, lambda found: found.versions))


def promote(domain: str, version: str) -> Call[Move]:
    return post(f"/{domain}/models/{segment(version)}/promote", one(Move))


def roll_back(domain: str) -> Call[Move]:
    return post(f"/{domain}/models/rollback", one(Move))


def purge(domain: str) -> Call[Purged]:
    """Removes the versions, but for the champion, that remember forgotten clips."""
    return post(f"/{domain}/models/purge", one(Purged))


@dataclass
class Followed:
    """How far a run has been followed, across lost connections."""

    domain: str
    run_id: str
    finished: bool = False
    seen: int = 0
    lost: int = 0
    _reader: EventReader = field(default_factory=EventReader)

    def call(self) -> Call[bytes]:
        """The events behind those that were seen."""
        self._reader = EventReader()
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(self.seen)}
        path = f"{_path(self.domain, self.run_id)}/events"
        return Call("GET", path, raw, headers=headers, silence_s=SILENCE_S)

    def take(self, line: str) -> RunEvent | None:
        """The event that ends with this line, if it is new."""
        if (fields := self._reader.take(line)) is None:
            return None
        event = RunEvent.model_validate({**json.loads(fields["data"]), "id": fields.get("id", 0)})
        self.lost, self.finished = 0, event.kind == "finished"
        # A service that ignores Last-Event-ID begins again from the start.
        if event.id <= self.seen:
            return None
        self.seen = event.id
        return event

    def lose(self, error: httpx.TransportError | ServiceError, link: Connection) -> bool:
        """Whether more is due for certain; raises ServiceError after too many losses in a row, and
        a refusal at once."""
        if isinstance(error, httpx.ReadTimeout):
            return False
        self.lost += 1
        refused = isinstance(error, ServiceError) and error.status not in {502, 503}
        if self.lost < link.tries and not refused:
            return True
        if isinstance(error, ServiceError):
            raise error
        link.away(error)

    @property
    def pause_s(self) -> float:
        return backoff_s(self.lost)


def _path(domain: str, run_id: str) -> str:
    return f"/{domain}/retrain/{segment(run_id)}"
