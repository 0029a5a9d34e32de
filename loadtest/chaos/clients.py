"""The clients that go on while something is disturbed, and what each request of theirs came to.

Each clip is unique. What the service has acknowledged is written down with its digest, to be
looked for at the end; a client that gets no answer sends its next clip, never the same again.
"""

import hashlib
import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx

from loadtest.clip import tone_in_noise
from loadtest.own_service import Service

PATIENCE_S = 15.0
PAUSE_S = 0.5  # between a client's requests: a crowd, not an overload
CROWD = {"/feedback": 10, "/upload": 6, "/predict": 4, "/analyze": 1}
FILES = 2  # of an upload
ACCEPTED = (200, 201, 202)
BUSY = (429, 503)  # with Retry-After

Kind = Literal["ok", "busy", "unanswered", "error", "foreign"]


@dataclass(frozen=True)
class Sent:
    path: str
    began: float  # of time.monotonic()
    ended: float
    kind: Kind
    words: str  # what was wrong with the answer, if anything


@dataclass
class Ledger:
    domain: str
    requests: list[Sent] = field(default_factory=list)
    clips: set[str] = field(default_factory=set)  # all that were sent
    kept: dict[str, str | None] = field(default_factory=dict)  # acknowledged, with the receipt
    kept_at: float = 0.0
    jobs: list[str] = field(default_factory=list)  # whose analysis was promised, in order
    versions: Counter[tuple[str, str]] = field(default_factory=Counter)  # that predicted; digests

    def note(self, path: str, body: dict[str, Any]) -> None:
        if path == "/predict":
            self.versions[body["model"]["version"], body["model"]["digest"]] += 1
        elif path == "/analyze":
            self.jobs.append(body["id"])
        else:
            rows = body["results"] if path == "/upload" else [{**body, "outcome": "stored"}]
            kept = {row["clip"]: row.get("receipt") for row in rows if row["outcome"] == "stored"}
            self.kept |= kept
            self.kept_at = time.monotonic() if kept else self.kept_at


def kind_of(status: int, retry_after: bool, domain: str, body: Any) -> tuple[Kind, str]:
    """Who has our key and asks for our domain is refused by another service only."""
    if status in ACCEPTED:
        named = body.get("domain") if isinstance(body, dict) else None
        return ("ok", "") if named == domain else ("foreign", f"answered for {named}")
    if status in (401, 403):
        return "foreign", str(status)
    return "busy" if status in BUSY and retry_after else "error", str(status)


@contextmanager
def clients(service: Service, labels: list[str]) -> Iterator[Ledger]:
    """At work inside the block; behind it each has its last answer, or has given up on it."""
    ledger, stop = Ledger(service.domain), threading.Event()
    work = [path for path, count in CROWD.items() for _ in range(count)]
    options: Any = {"base_url": service.url, "timeout": PATIENCE_S, "trust_env": False}
    options["headers"] = {"Authorization": f"Bearer {service.key}"}
    with httpx.Client(**options) as connections, ThreadPoolExecutor(len(work)) as pool:
        for number, path in enumerate(work, 100 * service.port):  # no two services get one clip
            pool.submit(Client(ledger, connections, labels, number).go_on, path, stop)
        try:
            yield ledger
        finally:
            stop.set()


@dataclass(frozen=True)
class Client:
    ledger: Ledger
    connections: httpx.Client
    labels: list[str]
    number: int

    def go_on(self, path: str, stop: threading.Event) -> None:
        for turn in itertools.count():
            if stop.wait(PAUSE_S):
                return
            began = time.monotonic()
            body: Any = None
            try:
                answer = self.connections.post(path, **self.content(path, turn))
                with suppress(ValueError):
                    body = answer.json()
                refers = "retry-after" in answer.headers
                kind, words = kind_of(answer.status_code, refers, self.ledger.domain, body)
            except httpx.HTTPError as error:
                kind, words = "unanswered", type(error).__name__
            if kind == "ok":
                self.ledger.note(path, body)
            self.ledger.requests.append(Sent(path, began, time.monotonic(), kind, words))

    def content(self, path: str, turn: int) -> dict[str, Any]:
        """A prediction is on a connection of its own, as that of a caller who comes now."""
        if path == "/predict":
            clip = tone_in_noise(0.4, 8000, seed=self.number)
            return {"files": {"file": clip}, "headers": {"Connection": "close"}}
        if path == "/analyze":
            recording = tone_in_noise(3.0, 8000, seed=(self.number, turn))
            return {"content": recording, "headers": {"Prefer": "respond-async"}}
        if path == "/feedback":
            clip, label = self.clip(turn)
            return {"files": {"file": clip}, "data": {"label": label}}
        made = [self.clip(FILES * turn + place) for place in range(FILES)]
        files = [("files", (f"{place}.wav", clip)) for place, (clip, _) in enumerate(made)]
        return {"files": files, "data": {"labels": [label for _, label in made]}}

    def clip(self, turn: int) -> tuple[bytes, str]:
        """One that nobody else sends, and its label; the pitch goes with the label."""
        place = turn % len(self.labels)
        clip = tone_in_noise(0.4, 8000, hz=200 + 150 * place, seed=(self.number, turn))
        self.ledger.clips.add(hashlib.sha256(clip).hexdigest())
        return clip, self.labels[place]
