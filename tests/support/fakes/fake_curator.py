"""The curator without Ray, MLflow and jobs: runs in the real store, two versions of one model."""

import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from data.database.schema import Detail
from data.domains.domain import Domain, Mode
from data.errors import Conflict, UnknownName
from data.store.store import Store
from models.registry.registry import Version
from serve_app.client.past_answers import Window
from serve_app.control.history import History
from serve_app.http.answers.answer_bodies import json_fields, model_version, run_info
from serve_app.replica.latencies import Latencies
from serve_app.replica.series import key

DIGEST = "0" * 64
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Handle:
    """To a deployment of the same process."""

    def __init__(self, deployment: object) -> None:
        self._deployment = deployment

    def __getattr__(self, method: str) -> Any:
        async def remote(*arguments: object) -> Any:
            return getattr(self._deployment, method)(*arguments)

        return SimpleNamespace(remote=remote)


class Curator:
    def __init__(self, domain: Domain, store: Store) -> None:
        self._domain = domain
        self._store = store
        self._rows = [
            Version(domain.name, number, DIGEST, aliases, NOW, {"macro_f1": "0.9"})
            for number, aliases in (("2", ("champion",)), ("1", ("previous",)))
        ]

    def start_run(
        self, domain: str, mode: Mode, reason: str, who: str, options: Detail
    ) -> dict[str, Any]:
        if self._store.runs.unfinished(domain):
            raise Conflict("a retrain is under way")
        number = len(self._store.runs.find(domain)) + 1
        run = self._store.runs.start(
            f"run-{number}", domain=domain, mode=mode, reason=reason, who=who, options=options
        )
        return json_fields(run_info(run))

    def cancel_run(self, run_id: str, who: str) -> dict[str, Any]:
        words: Detail = {"message": f"cancelled by {who}"}
        run = self._store.runs.update(run_id, state="cancelled", who=who, result=words)
        return json_fields(run_info(run))

    def versions(self, domain: str) -> list[dict[str, Any]]:
        return [json_fields(model_version(row)) for row in self._rows]

    def promote(self, domain: str, number: str, who: str) -> dict[str, Any]:
        if number not in [row.number for row in self._rows]:
            raise UnknownName(f"{domain} has no version {number!r}")
        told = {"replicas": 1, "agree": True, "seconds": 0.1, "warning": None}
        return {"domain": domain, "version": number, "digest": DIGEST, **told}

    def rollback(self, domain: str, who: str) -> dict[str, Any]:
        return self.promote(domain, "1", who)

    def purge(self, domain: str, who: str) -> dict[str, Any]:
        return {"domain": domain, "purged": ["1"], "unread": []}

    def remembering(self, domain: str, sha256: str) -> dict[str, Any]:
        return {"versions": ["2"], "message": "version 2 still remembers it"}

    def metrics(self) -> dict[str, Any]:
        labels = {"domain": self._domain.name}
        samples = {key("telltale_unknown_total", **labels): 2.0}
        return {"samples": samples, "traffic": {self._domain.name: History().lately(0.0)}}

    def history(self, domain: str, window: Window) -> list[dict[str, Any]]:
        row = {"replica": "r-1", "version": "2", "uptime_s": 9.0, "refused": 0, "swaps": 0}
        counted = Latencies()
        history = History()
        for second in range(3):
            history.note([{**row, "latencies": list(counted.counts)}], time.time() - 3 + second)
            counted.add(0.01)
        return history.points(window)

    def status(self) -> dict[str, Any]:
        name = self._domain.name
        row = {
            "title": self._domain.title,
            "champion": self.versions(name)[0],
            "error": None,
            "replicas": [],
            "agree": False,
            "waits": None,
            "clips": self._store.clips.counts(name),
            "running": [json_fields(run_info(run)) for run in self._store.runs.unfinished(name)],
            "states": {"RUNNING": 1},
        }
        return {"domains": {name: row}, "curator_pid": 1}
