"""A replica without Ray: the real routes, door, batcher, admission and store, a shipped model."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from starlette.testclient import TestClient

from data.domains.domain import load_domains
from data.errors import NotReady, UnknownName
from data.home import home_from_env
from data.store.store import Store
from models.bundle import Bundle
from serve_app.http.api import build_api
from serve_app.http.job_runner import JobRunner
from serve_app.replica.admission import Admission
from serve_app.replica.batcher import Batcher
from serve_app.replica.champion import load_shipped
from serve_app.replica.prediction_log import PredictionLog
from serve_app.replica.replica_metrics import Metrics
from serve_app.replica.scoring import Item, ScoredClip, answer_batch
from serve_app.settings import Settings

ADMIN = "tt_an-admins-key-for-this-test"


class Away:
    """A handle to a deployment that does not answer."""

    def __getattr__(self, method: str) -> Any:
        return SimpleNamespace(remote=self._refuse)

    def _refuse(self, *arguments: object) -> Any:
        raise ConnectionError("nobody is there")


class Replica:
    """What the routes ask of a `DomainService`."""

    def __init__(self, name: str, folder: Path) -> None:
        self.domain = load_domains(names=(name,))[name]
        self.beside = {name: self}
        home = home_from_env({"TELLTALE_HOME": str(folder)})
        self.settings = Settings(home, "127.0.0.1", 8000, (name,), ADMIN)
        self.started, self.node = time.time(), "node"
        self.metrics = Metrics(name)
        self.curator: Any = Away()
        self.admission = Admission(0.5)
        self.prediction_log: PredictionLog | None = None
        served = load_shipped(name)
        assert served is not None, name
        self.served = served
        self.champion = SimpleNamespace(loaded=True, served=served)

    @cached_property
    def store(self) -> Store:
        return Store.open(self.settings.home.database_url, self.settings.home.storage_uri)

    @cached_property
    def jobs(self) -> JobRunner:
        return JobRunner(self)  # type: ignore[arg-type]

    @cached_property
    def batcher(self) -> Batcher[Item, ScoredClip]:
        return Batcher(lambda items: answer_batch(self.served, items), 4)

    def describe(self) -> dict[str, Any]:
        served = self.served
        return {
            "replica": "r-1",
            "node": self.node,
            "version": served.version,
            "digest": served.digest,
            "load_error": None,
            "pid": os.getpid(),
        }

    @property
    def busy(self) -> bool:
        return self.admission.busy

    async def predict(
        self, raw: bytes, caller: str = "", deadline: float = float("inf")
    ) -> ScoredClip:
        with self.admission.place(caller):
            found = await self.batcher.ask(caller, Item(raw, time.perf_counter(), deadline))
        self.metrics.predicted(found.served, found.scores, found.total_ms / 1e3)
        return found

    async def versions(self) -> tuple[str, ...]:
        try:
            rows = await self.ask_curator("versions", self.domain.name)
        except NotReady:
            return ()
        return tuple(row["version"] for row in rows)

    async def described(self, version: str, caller: str = "") -> Bundle:
        if version != self.served.version:
            raise UnknownName(f"{self.domain.name} has no version {version!r}")
        return self.served.bundle

    async def predict_on(
        self,
        version: str,
        raw: bytes,
        caller: str = "",
        deadline: float = float("inf"),
        patience_s: float | None = None,
    ) -> ScoredClip:
        await self.described(version)
        return await self.predict(raw, caller, deadline)

    async def ask_curator(self, method: str, *arguments: object) -> Any:
        try:
            return await getattr(self.curator, method).remote(*arguments)
        except ConnectionError:
            raise NotReady("the curator does not answer; try again in a few seconds") from None


@contextmanager
def answering(replica: Replica) -> Iterator[TestClient]:
    """Asked as HAProxy asks it; what fails is answered, not raised."""
    door: Any = build_api(replica)  # type: ignore[arg-type]
    with TestClient(door, raise_server_exceptions=False, follow_redirects=False) as client:
        yield client
