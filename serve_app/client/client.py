"""Talks to a running service over HTTP: the page and the command line use it.

    with Client("http://127.0.0.1:8000", key="...") as client:
        print(client.predict("faults", Path("pump.wav").read_bytes()).label)

Every failure is a ServiceError (`connection.py`) whose text may be shown to a person.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from types import TracebackType
from typing import BinaryIO, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from .account_answers import Me
from .accounts import Accounts
from .analysis_answers import Analysis, Progress, StreamAnswer
from .analyze import analyze
from .answers import (
    Clips,
    DomainInfo,
    Domains,
    KeptClip,
    Mode,
    Prediction,
    Receipt,
    Receipts,
    State,
)
from .connection import Connection, ServiceError, backoff_s, checked, new_pool
from .insight_answers import Insights
from .past_answers import History, Window
from .server_events import server_events
from .service_answers import (
    ModelVersion,
    Move,
    Run,
    RunEvent,
    Runs,
    Status,
    Versions,
)
from .stream import stream

A = TypeVar("A", bound=BaseModel)

ENDED = {"succeeded", "failed", "cancelled"}
# A run may say nothing for a while, but a proxy may also drop a quiet stream without a word.
SILENCE_S = 20.0
LISTED = 100


class Client:
    """Safe to share between threads. `with_key` speaks for another caller on the same pool."""

    def __init__(
        self,
        url: str,
        key: str = "",
        *,
        timeout_s: float = 60.0,
        tries: int = 4,
        pool: httpx.Client | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        patient: bool = True,
    ) -> None:
        pool = pool or new_pool()
        self._link = Connection(url, key.strip(), timeout_s, tries, pool, headers, patient)

    @property
    def key(self) -> str:
        return self._link.key

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._link.pool.close()

    def with_key(self, key: str, headers: tuple[tuple[str, str], ...] = ()) -> "Client":
        """The same connections, for another caller; `headers` go with all of his requests."""
        return self._over(replace(self._link, key=key, headers=headers, patient=True))

    def _over(self, link: Connection) -> "Client":
        return Client(
            link.url,
            link.key,
            timeout_s=link.timeout_s,
            tries=link.tries,
            pool=link.pool,
            headers=link.headers,
            patient=link.patient,
        )

    @property
    def accounts(self) -> Accounts:
        """Keys of others, and who did what; for admins."""
        return Accounts(self._ask)

    def impatient(self) -> "Client":
        """For the same caller, raising ServiceError at once when the service is busy (429)."""
        return self._over(replace(self._link, patient=False))

    def me(self) -> Me:
        return self._ask("GET", "/me", Me)

    def history(self, domain: str, window: Window = "5m") -> History:
        return self._ask("GET", f"/{domain}/history", History, params={"window": window})

    def domains(self) -> tuple[DomainInfo, ...]:
        return self._ask("GET", "/domains", Domains).domains

    def status(self) -> Status:
        return self._ask("GET", "/status", Status)

    def predict(
        self, domain: str, clip: bytes, *, name: str = "clip", evidence: bool = False
    ) -> Prediction:
        request = self._link.request(
            "POST",
            f"/{domain}/predict",
            params={"evidence": "true"} if evidence else None,
            files={"file": (name, clip)},
        )
        return _parse(self._link.send(request, repeatable=True), Prediction)

    def analyze(
        self,
        domain: str,
        recording: BinaryIO,
        *,
        thresholds: Mapping[str, float] | None = None,
        watch: Callable[[Progress], None] = lambda progress: None,
        hop_s: float | None = None,
        min_length_s: float | None = None,
        merge_gap_s: float | None = None,
        top_n: int | None = None,
    ) -> Analysis:
        """The events of a recording of any length; `watch` is told how far it is. `thresholds` by
        label, and what follows, are the route's own where they are not given."""
        given = {"hop_s": hop_s, "min_length_s": min_length_s, "merge_gap_s": merge_gap_s}
        said = given | {"top_n": top_n}
        wishes = {name: f"{value:g}" for name, value in said.items() if value is not None}
        enter = [f"{label}:{least:g}" for label, least in (thresholds or {}).items()]
        return analyze(self._link, domain, recording, wishes | {"threshold": enter}, watch)

    def stream(
        self, domain: str, blocks: Iterable[bytes], sample_rate_hz: int
    ) -> Iterator[StreamAnswer]:
        """Of live sound, 16-bit samples of one channel in blocks; answers while they are sent."""
        return stream(self._link, domain, blocks, sample_rate_hz)

    def correct(
        self,
        domain: str,
        clip: bytes,
        label: str,
        *,
        name: str = "clip",
        mask: bytes | None = None,
        group: str = "",
    ) -> Receipt:
        """Says which label is right, or with a mask (a PNG) where in a photograph it is; whether
        that counts already is in the receipt's state. `group` is the recording, machine, patient
        or speaker that the clip is of."""
        files = {"file": (name, clip)}
        if mask is not None:
            files["mask"] = ("mask.png", mask)
        said = {"label": label, "group": group}
        request = self._link.request(
            "POST",
            f"/{domain}/feedback",
            files=files,
            data={part: text for part, text in said.items() if text},
        )
        return _parse(self._link.send(request), Receipt)

    def receipt(self, domain: str, receipt: str) -> Receipt:
        return self._ask("GET", f"/{domain}/feedback/{_segment(receipt)}", Receipt)

    def own_receipts(self, domain: str, *, offset: int = 0) -> tuple[Receipt, ...]:
        """Of the corrections that were sent with this key, LISTED from the newest on."""
        params = {"mine": "true", "limit": str(LISTED), "offset": str(offset)}
        return self._ask("GET", f"/{domain}/feedback", Receipts, params=params).feedback

    def clips(
        self,
        domain: str,
        state: State | None = None,
        *,
        flagged: bool = False,
        waiting: bool = False,
        doubted: bool = False,
    ) -> tuple[KeptClip, ...]:
        """The first LISTED, newest first; `flagged` ones alone come with the worst first, and
        where `doubted` those that the model is surest are something else."""
        params = {"limit": str(LISTED)} | ({"state": state} if state else {})
        params |= {"flagged": "true"} if flagged else {}
        params |= {"waiting": "true"} if waiting else {}
        params |= {"order": "disagreement"} if doubted else {}
        request = self._link.request("GET", f"/{domain}/clips", params=params)
        return _parse(self._link.send(request, repeatable=True), Clips).clips

    def content(self, domain: str, clip: str) -> bytes:
        return self._bytes(f"/{domain}/clips/{_segment(clip)}/content")

    def mask(self, domain: str, clip: str) -> bytes:
        return self._bytes(f"/{domain}/clips/{_segment(clip)}/mask")

    def correction_mask(self, domain: str, receipt: str) -> bytes:
        return self._bytes(f"/{domain}/feedback/{_segment(receipt)}/mask")

    def accept_correction(self, domain: str, receipt: str) -> Receipt:
        return self._ask("POST", f"/{domain}/feedback/{_segment(receipt)}/accept", Receipt)

    def accept(self, domain: str, clip: str) -> KeptClip:
        return self._ask("POST", f"/{domain}/clips/{_segment(clip)}/accept", KeptClip)

    def relabel(self, domain: str, clip: str, label: str) -> KeptClip:
        return self._decide(domain, clip, "relabel", {"label": label})

    def regroup(self, domain: str, clip: str, group: str) -> KeptClip:
        """Another recording, machine, patient or speaker that the clip is of; "" for none."""
        path, body = f"/{domain}/clips/{_segment(clip)}", {"group": group}
        return _parse(self._link.send(self._link.request("PATCH", path, json=body)), KeptClip)

    def reject(self, domain: str, clip: str, reason: str) -> KeptClip:
        return self._decide(domain, clip, "reject", {"reason": reason})

    def undo(self, domain: str, clip: str) -> KeptClip:
        """Takes back the last decision upon the clip."""
        return self._ask("POST", f"/{domain}/clips/{_segment(clip)}/undo", KeptClip)

    def retrain(self, domain: str, mode: Mode, reason: str) -> Run:
        body = {"mode": mode, "reason": reason}
        request = self._link.request("POST", f"/{domain}/retrain", json=body)
        return _parse(self._link.send(request), Run)

    def runs(self, domain: str) -> tuple[Run, ...]:
        return self._ask("GET", f"/{domain}/retrain", Runs).runs

    def run(self, domain: str, run_id: str) -> Run:
        return self._ask("GET", f"/{domain}/retrain/{_segment(run_id)}", Run)

    def cancel(self, domain: str, run_id: str) -> None:
        self._link.send(self._link.request("DELETE", f"/{domain}/retrain/{_segment(run_id)}"))

    def follow(self, domain: str, run_id: str) -> Iterator[RunEvent]:
        """The run's events from its start until it ends, across lost connections."""
        seen, lost = 0, 0
        while True:
            try:
                for event in self._events(domain, run_id, seen):
                    lost = 0
                    # A service that ignores Last-Event-ID begins again from the start.
                    if event.id > seen:
                        seen = event.id
                        yield event
                    if event.kind == "finished":
                        return
                ended = self.run(domain, run_id).state in ENDED
            except httpx.ReadTimeout:
                ended = self.run(domain, run_id).state in ENDED
            except httpx.TransportError as error:
                lost, ended = lost + 1, False
                if lost == self._link.tries:
                    raise self._link.away(error) from error
            if ended:
                return
            time.sleep(backoff_s(lost))

    def insights(self, domain: str) -> Insights:
        return self._ask("GET", f"/{domain}/insights", Insights)

    def models(self, domain: str) -> tuple[ModelVersion, ...]:
        return self._ask("GET", f"/{domain}/models", Versions).versions

    def promote(self, domain: str, version: str) -> Move:
        return self._ask("POST", f"/{domain}/models/{_segment(version)}/promote", Move)

    def roll_back(self, domain: str) -> Move:
        return self._ask("POST", f"/{domain}/models/rollback", Move)

    def _decide(self, domain: str, clip: str, how: str, body: dict[str, str]) -> KeptClip:
        path = f"/{domain}/clips/{_segment(clip)}/{how}"
        return _parse(self._link.send(self._link.request("POST", path, json=body)), KeptClip)

    def _bytes(self, path: str) -> bytes:
        return self._link.send(self._link.request("GET", path), repeatable=True).content

    def _ask(
        self,
        method: str,
        path: str,
        model: type[A],
        *,
        params: dict[str, str] | None = None,
        json: dict[str, object] | None = None,
    ) -> A:
        request = self._link.request(method, path, params=params, json=json)
        return _parse(self._link.send(request, repeatable=method == "GET"), model)

    def _events(self, domain: str, run_id: str, seen: int) -> Iterator[RunEvent]:
        link = self._link
        request = link.request(
            "GET",
            f"/{domain}/retrain/{_segment(run_id)}/events",
            headers={"Accept": "text/event-stream", "Last-Event-ID": str(seen)},
        )
        request.extensions["timeout"] = httpx.Timeout(link.timeout_s, read=SILENCE_S).as_dict()
        response = link.pool.send(request, stream=True)
        try:
            if response.is_error:
                response.read()
            yield from _parse_events(checked(response).iter_lines())
        finally:
            response.close()


def _segment(text: str) -> str:
    return quote(text, safe="")


def _parse(response: httpx.Response, model: type[A]) -> A:
    try:
        return model.model_validate_json(response.content)
    except ValidationError as error:
        route = f"{response.request.method} {response.request.url.path}"
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ServiceError(
            f"{route} answered something unexpected at {where or 'the top'}: {first['msg']}",
            response.status_code,
        ) from error


def _parse_events(lines: Iterator[str]) -> Iterator[RunEvent]:
    for fields in server_events(lines):
        yield RunEvent.model_validate({**json.loads(fields["data"]), "id": fields.get("id", 0)})
