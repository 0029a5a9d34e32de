"""The clients of the chaos test, against a small server that keeps what it is sent."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Header, Response, UploadFile

from loadtest.chaos.clients import Ledger, clients
from loadtest.own_service import Service
from support.local_server import Server

PATIENCE_S = 30.0


class Keeper:
    """Keeps clips by their digest; every third correction is refused, with when to come back."""

    def __init__(self, domain: str = "keywords") -> None:
        self.domain = domain
        self.clips: list[str] = []
        self.corrections = 0
        self.jobs: list[str] = []

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/predict")
        def predict(file: UploadFile) -> dict[str, Any]:
            return {"domain": self.domain, "model": {"version": "1", "digest": "aa"}}

        @app.post("/feedback", status_code=201)
        def feedback(file: UploadFile, response: Response) -> dict[str, Any]:
            self.corrections += 1
            if self.corrections % 3 == 0:
                response.status_code, response.headers["Retry-After"] = 503, "1"
                return {}
            return {"domain": self.domain, "clip": self._keep(file), "receipt": "r-1"}

        @app.post("/upload")
        def upload(files: list[UploadFile]) -> dict[str, Any]:
            rows = [{"outcome": "stored", "clip": self._keep(file)} for file in files]
            return {"domain": self.domain, "results": rows}

        @app.post("/analyze", status_code=202)
        def analyze(prefer: Annotated[str, Header()]) -> dict[str, Any]:
            assert prefer == "respond-async"
            self.jobs.append(str(len(self.jobs)))
            return {"domain": self.domain, "id": self.jobs[-1]}

        return app

    def _keep(self, file: UploadFile) -> str:
        self.clips.append(hashlib.sha256(file.file.read()).hexdigest())
        return self.clips[-1]


def at_work(tmp_path: Path, app: FastAPI, until: Callable[[Ledger], bool]) -> Ledger:
    (tmp_path / "admin-key").write_text("a key")
    with Server(app) as url:
        service = Service(tmp_path, tmp_path, int(url.rpartition(":")[2]), "keywords")
        with clients(service, ["one", "two"]) as ledger:
            deadline = time.monotonic() + PATIENCE_S
            while not until(ledger):
                assert time.monotonic() < deadline, ledger.requests
                time.sleep(0.05)
    return ledger


def test_every_acknowledged_clip_is_written_down_and_none_is_sent_twice(tmp_path: Path) -> None:
    keeper = Keeper()
    ledger = at_work(
        tmp_path, keeper.app(), lambda ledger: len(ledger.kept) > 40 and len(ledger.jobs) > 1
    )
    assert set(keeper.clips) == set(ledger.kept)
    assert len(set(keeper.clips)) == len(keeper.clips)
    assert set(ledger.kept) < ledger.clips  # those that were refused were sent, too
    assert {sent.kind for sent in ledger.requests} == {"ok", "busy"}
    assert list(ledger.versions) == [("1", "aa")]
    assert ledger.jobs == keeper.jobs


def test_another_services_answers_are_told_from_ones_own(tmp_path: Path) -> None:
    app = Keeper("faults").app()
    ledger = at_work(tmp_path, app, lambda ledger: len(ledger.requests) > 20)
    found = {sent.words for sent in ledger.requests if sent.kind == "foreign"}
    assert found == {"answered for faults"}
    assert not ledger.versions


def test_a_service_that_is_away_is_no_answer_and_the_clients_go_on(tmp_path: Path) -> None:
    (tmp_path / "admin-key").write_text("a key")
    service = Service(tmp_path, tmp_path, 9, "keywords")
    with clients(service, ["one"]) as ledger:
        deadline = time.monotonic() + PATIENCE_S
        while len(ledger.requests) < 60 and time.monotonic() < deadline:
            time.sleep(0.05)
    assert len(ledger.requests) >= 60
    assert {(sent.kind, sent.words) for sent in ledger.requests} == {("unanswered", "ConnectError")}
