"""The clients that go on while something is disturbed, and what each request of theirs came to.

Each clip is unique. What the service has acknowledged is written down with its digest, to be
looked for at the end; a client that gets no answer sends its next clip, never the same again.
"""

import hashlib
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx

from loadtest.client.clip import tone_in_noise
from loadtest.own_service import Service

PATIENCE_S = 15.0
PAUSE_S = 0.5  # between a client's requests: a crowd, not an overload
CORRECTING, UPLOADING, PREDICTING = 10, 6, 4
FILES = 2  # of an upload
ACCEPTED = (200, 201)
BUSY = (429, 503)  # with Retry-After

Kind = Literal["ok", "busy", "unanswered", "error", "foreign"]


@dataclass(frozen=True)
class Sent:
    """One request; moments of time.monotonic()."""

    path: str
    began: float
    ended: float
    kind: Kind
    words: str  # what was wrong with the answer, if anything


@dataclass
class Ledger:
    """All that was sent. `kept` are the clips that were acknowledged, with the receipt of those
    that have one; `versions` counts predictions by version and digest."""

    domain: str
    requests: list[Sent] = field(default_factory=list)
    clips: set[str] = field(default_factory=set)
    kept: dict[str, str | None] = field(default_factory=dict)
    kept_at: float = 0.0
    versions: Counter[tuple[str, str]] = field(default_factory=Counter)


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
    work = [_correct] * CORRECTING + [_upload] * UPLOADING + [_predict] * PREDICTING
    headers = {"Authorization": f"Bearer {service.key}"}
    options: Any = {"base_url": service.url, "timeout": PATIENCE_S, "trust_env": False}
    with (
        httpx.Client(headers=headers, **options) as connections,
        ThreadPoolExecutor(len(work)) as pool,
    ):
        for number, one in enumerate(work, 100 * service.port):  # no two services get one clip
            pool.submit(_run, Client(ledger, connections, labels, number), one, stop)
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

    def clip(self, turn: int) -> tuple[bytes, str]:
        """One that nobody else sends, and its label; the pitch goes with the label."""
        place = turn % len(self.labels)
        clip = tone_in_noise(0.4, 8000, tone_hz=200 + 150 * place, seed=(self.number, turn))
        self.ledger.clips.add(hashlib.sha256(clip).hexdigest())
        return clip, self.labels[place]

    def acknowledged(self, sha256: str, receipt: str | None = None) -> None:
        self.ledger.kept[sha256] = receipt
        self.ledger.kept_at = time.monotonic()


Work = Callable[[Client, int], httpx.Response]


def _run(client: Client, work: Work, stop: threading.Event) -> None:
    for turn in itertools.count():
        if stop.wait(PAUSE_S):
            return
        began = time.monotonic()
        try:
            answer = work(client, turn)
            refers, path = "retry-after" in answer.headers, answer.request.url.path
            domain, body = client.ledger.domain, body_of(answer)
            kind, words = kind_of(answer.status_code, refers, domain, body)
        except httpx.HTTPError as error:
            path, kind, words = error.request.url.path, "unanswered", type(error).__name__
        client.ledger.requests.append(Sent(path, began, time.monotonic(), kind, words))


def _correct(client: Client, turn: int) -> httpx.Response:
    clip, label = client.clip(turn)
    answer = client.connections.post("/feedback", files={"file": clip}, data={"label": label})
    if answer.status_code == 201 and (body := body_of(answer)):
        client.acknowledged(body["clip"], body["receipt"])
    return answer


def _upload(client: Client, turn: int) -> httpx.Response:
    made = [client.clip(FILES * turn + place) for place in range(FILES)]
    files = [("files", (f"{place}.wav", clip)) for place, (clip, _) in enumerate(made)]
    labels = {"labels": [label for _, label in made]}
    answer = client.connections.post("/upload", files=files, data=labels)
    if answer.status_code == 200 and (body := body_of(answer)):
        for row in body["results"]:
            if row["outcome"] == "stored":
                client.acknowledged(row["clip"])
    return answer


def _predict(client: Client, turn: int) -> httpx.Response:
    """On a connection of its own each time: what a caller who comes now meets."""
    files, alone = {"file": tone_in_noise(0.4, 8000, seed=client.number)}, {"Connection": "close"}
    answer = client.connections.post("/predict", files=files, headers=alone)
    body = body_of(answer)
    if answer.status_code == 200 and body and body["domain"] == client.ledger.domain:
        client.ledger.versions[body["model"]["version"], body["model"]["digest"]] += 1
    return answer


def body_of(answer: httpx.Response) -> Any:
    """None where it is no JSON."""
    with suppress(ValueError):
        return answer.json()
    return None
