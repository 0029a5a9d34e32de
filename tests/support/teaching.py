"""A home with a tiny champion in it, its store, and teaches of that champion in this process."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from data.domains.domain import Domain, load_domains
from data.home import Home, home_from_env
from data.store.clips.clip_rows import NewClip
from data.store.store import Store
from models.bundle import Bundle, load_bundle
from models.registry.registry import Registry
from serve_app.control.forgetting import Forgetting
from serve_app.control.retrain_runs import RetrainRuns
from support.inputs.pictures import cracked
from support.inputs.sounds import tone
from support.tiny import fresh_registry, tiny_bundle
from training.job.lifecycle import attempt
from training.job.run import RetrainRun
from training.job.run_progress import Progress
from training.retrain import retrain


@dataclass(frozen=True)
class School:
    domain: Domain
    home: Home
    store: Store
    registry: Registry

    def order(self, name: str, *, trigger: str = "person") -> RetrainRun:
        """A run with its row, as if its job had just begun."""
        domain = self.domain
        self.store.runs.start(
            name, domain=domain.name, mode="teach", reason="", who="ann", trigger=trigger
        )
        return self.begun(name)

    def begun(self, name: str) -> RetrainRun:
        progress = Progress(self.store, name, self.domain.name, "ann", lambda line: None)
        progress.started("teach")
        nowhere = self.home.root / "none"
        return RetrainRun(
            self.domain, self.home, self.store, self.registry, progress, None, nowhere, 0
        )

    def teach(self, name: str) -> dict[str, Any]:
        self.order(name)
        return self.work_on(name)

    def work_on(self, name: str) -> dict[str, Any]:
        """What the job of an ordered run does: its result."""
        run = self.begun(name)
        attempt(run.progress, self.home, lambda: retrain(run, "teach", None, True))
        result = self.store.runs.get(name).result
        assert result is not None
        return result

    def send(self, number: int = 0, label: str | None = None) -> str:
        """An accepted clip, another for each number."""
        label = label or self.domain.labels[0]
        new = NewClip(self.raw(number), self.domain.name, label, None, "accepted", "test", 1.0, 0)
        return self.store.clips.add(new, who="ann")[0].sha256

    def raw(self, number: int) -> bytes:
        if self.domain.modality == "image":
            return cracked(number, crack=False)[0]
        return tone(hz=400 + 10 * number, seconds=0.5, seed=number)

    def curated(self, jobs: Any) -> RetrainRuns:
        """As the curator looks after them, with `jobs` for Ray's list."""
        return RetrainRuns(self.store, jobs, self.registry, self.forgetting)

    @cached_property
    def forgetting(self) -> Forgetting:
        return Forgetting(self.store, self.registry, self.home)

    def digest(self, number: int) -> str:
        return hashlib.sha256(self.raw(number)).hexdigest()

    def champion(self) -> tuple[str, Bundle]:
        version = self.registry.champion(self.domain.name)
        assert version is not None
        return version.number, load_bundle(self.registry.fetch(version, self.home.bundles))

    def remembered(self) -> set[str]:
        """By the version that serves."""
        return set(self.champion()[1].memory().clip_ids)


@contextmanager
def school(folder: Path, name: str = "keywords") -> Iterator[School]:
    domain = load_domains(names=(name,))[name]
    home = home_from_env({"TELLTALE_HOME": str(folder)})
    registry = fresh_registry(folder)
    bundle = tiny_bundle(folder / "tiny", domain)
    registry.promote(name, registry.register(bundle, run_id=None, tags={}).number)
    store = Store.open(home.database_url, home.storage_uri)
    yield School(domain, home, store, registry)
    store.close()
