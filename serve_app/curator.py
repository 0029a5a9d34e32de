"""The control plane: one replica that knows the champion, runs the jobs and tells the replicas.

Level-triggered: every second it compares what is (the registry's alias, what each replica
serves, how the jobs stand) with what should be, and mends the difference. A missed message, a
replica born in the middle of a swap or its own restart therefore need no special case. The data
plane never waits for it.
"""

import asyncio
import logging
import os
import time
from typing import TYPE_CHECKING, Any

from ray import serve

from data.domain import Domain, Mode, load_domains
from data.errors import TelltaleError, UnknownName
from data.store import Store
from models.bundle import cached, file_bytes, load_bundle
from serve_app.jobs import Jobs
from serve_app.pointer import PRETRAINED, Pointer, read_pointer, write_pointer
from serve_app.runs import Runs
from serve_app.schemas import run_facts, version_facts
from serve_app.settings import settings_from_env

if TYPE_CHECKING:
    from models.registry import Registry, Version

log = logging.getLogger("ray.serve")

BEAT_S = 1.0
SWEEP_EVERY_S = 3600.0  # for what killed uploads left behind
SWAP_PATIENCE_S = 30.0
REPLICA_PATIENCE_S = 5.0
SHIPPED_TAGS = {"verdict": "shipped", "reasons": '["shipped with this release"]'}


class Curator:
    async def __init__(self) -> None:  # type: ignore[misc]  # Serve awaits it
        settings = settings_from_env()
        self._home = settings.home
        self._domains: dict[str, Domain] = load_domains(names=settings.domains)
        self._handles = {
            name: serve.get_deployment_handle("DomainService", app_name=name)
            for name in self._domains
        }
        self._replicas: dict[str, list[dict[str, Any]]] = {name: [] for name in self._domains}
        self._champions: dict[str, Version] = {}
        self._errors: dict[str, str] = {}
        self._swept = -SWEEP_EVERY_S
        self._store = await asyncio.to_thread(
            Store.open, self._home.database_url, self._home.storage_uri
        )
        self._registry: Registry = await asyncio.to_thread(self._open_registry)
        self._runs = Runs(self._store, Jobs())
        self._beats = asyncio.create_task(self._beat())

    def _open_registry(self) -> "Registry":
        """Opens the registry; a domain nobody has registered yet starts with what is shipped."""
        from models.registry import Registry

        registry = Registry(self._home.tracking_uri, self._home.artifact_root)
        for name in self._domains:
            shipped = PRETRAINED / name
            if registry.champion(name) is None and shipped.is_dir():
                version = registry.register(load_bundle(shipped), run_id=None, tags=SHIPPED_TAGS)
                registry.promote(name, version.number)
        return registry

    # -- what replicas ask -------------------------------------------------------------------

    def pointer(self, domain: str) -> Pointer | None:
        version = self._champions.get(domain)
        if version is None:
            return read_pointer(self._home, domain)
        return Pointer(domain, version.number, version.digest)

    async def fetch(self, domain: str, digest: str) -> dict[str, bytes]:
        """A bundle's files, for a replica whose node has not got them."""
        version = self._champions.get(domain)
        if version is None or version.digest != digest:
            raise UnknownName(f"{digest[:12]} is not the champion of {domain}")
        folder = await asyncio.to_thread(self._registry.fetch, version, self._home.bundles)
        return await asyncio.to_thread(lambda: file_bytes(load_bundle(folder)))

    # -- what the admin asks -----------------------------------------------------------------

    async def versions(self, domain: str) -> list[dict[str, Any]]:
        found = await asyncio.to_thread(self._registry.versions, domain)
        return [version_facts(version) for version in found]

    async def promote(self, domain: str, number: str, who: str) -> dict[str, Any]:
        return await self._move(domain, "promoted", who, lambda: self._promotable(domain, number))

    async def rollback(self, domain: str, who: str) -> dict[str, Any]:
        return await self._move(domain, "rolled_back", who, lambda: self._registry.rollback(domain))

    def _promotable(self, domain: str, number: str) -> "Version":
        """A version is fetched and verified before the alias moves, not after."""
        version = self._registry.version(domain, number)
        self._registry.fetch(version, self._home.bundles)
        self._registry.promote(domain, number)
        return version

    async def _move(self, domain: str, kind: str, who: str, change: Any) -> dict[str, Any]:
        started = time.perf_counter()
        version = await asyncio.to_thread(change)
        await asyncio.to_thread(
            self._store.events.add,
            kind,
            subject=f"model:{domain}:{version.number}",
            who=who,
            domain=domain,
            detail={"digest": version.digest},
        )
        await self._reconcile(domain)
        return {
            "domain": domain,
            "version": version.number,
            "digest": version.digest,
            "replicas": len(self._replicas[domain]),
            "agree": self._agree(domain),
            "seconds": round(time.perf_counter() - started, 3),
        }

    async def start_run(self, domain: str, mode: Mode, reason: str, who: str) -> dict[str, Any]:
        return await self._runs.start(domain, mode, reason, who)

    async def cancel_run(self, run_id: str, who: str) -> dict[str, Any]:
        return await self._runs.cancel(run_id, who)

    async def status(self) -> dict[str, Any]:
        rows = await asyncio.gather(*(self._domain_status(name) for name in self._domains))
        return {"domains": dict(zip(self._domains, rows, strict=True)), "curator_pid": os.getpid()}

    async def _domain_status(self, name: str) -> dict[str, Any]:
        champion = self._champions.get(name)
        runs = await self._runs.open(name)
        return {
            "title": self._domains[name].title,
            "champion": None if champion is None else version_facts(champion),
            "error": self._errors.get(name),
            "replicas": self._replicas[name],
            "agree": self._agree(name),
            "clips": await asyncio.to_thread(self._clips, name),
            "running": [run_facts(run) for run in runs],
        }

    def _clips(self, name: str) -> dict[str, int]:
        clips = self._store.clips
        counts = {str(state): number for state, number in clips.counts(name).items()}
        return counts | {"new": clips.count_new(name)}

    def _agree(self, name: str) -> bool:
        champion = self._champions.get(name)
        replicas = self._replicas[name]
        return bool(replicas) and all(
            champion is not None and r["digest"] == champion.digest for r in replicas
        )

    # -- the beat ----------------------------------------------------------------------------

    async def _beat(self) -> None:
        while True:
            for domain in self._domains.values():
                await self._look_after(domain)
            await asyncio.sleep(BEAT_S)

    async def _look_after(self, domain: Domain) -> None:
        """Never raises: what is wrong shows in /status, and is tried again at the next beat."""
        try:
            await self._reconcile(domain.name)
            await self._runs.look_after(domain)
            await self._sweep()
        except Exception as error:
            words = str(error) if isinstance(error, TelltaleError) else repr(error)
            if self._errors.get(domain.name) != words:
                log.exception("the curator could not look after %s", domain.name)
            self._errors[domain.name] = words
        else:
            self._errors.pop(domain.name, None)

    async def _sweep(self) -> None:
        if time.monotonic() - self._swept > SWEEP_EVERY_S:
            self._swept = time.monotonic()
            await asyncio.to_thread(self._store.clips.sweep)

    async def _reconcile(self, name: str) -> None:
        """Champion alias -> pointer on disk -> every replica."""
        version = await asyncio.to_thread(self._registry.champion, name)
        if version is None:
            self._replicas[name] = await self._broadcast(name, REPLICA_PATIENCE_S, "describe")
            return
        if await asyncio.to_thread(cached, self._home.bundles, version.digest) is None:
            await asyncio.to_thread(self._registry.fetch, version, self._home.bundles)
        pointer = Pointer(name, version.number, version.digest)
        self._champions[name] = version
        if await asyncio.to_thread(read_pointer, self._home, name) != pointer:
            await asyncio.to_thread(write_pointer, self._home, pointer)
        self._replicas[name] = await self._broadcast(name, SWAP_PATIENCE_S, "follow", pointer)

    async def _broadcast(
        self, name: str, patience_s: float, method: str, *args: Any
    ) -> list[dict[str, Any]]:
        try:
            response = self._handles[name].broadcast(method, *args)
            found = await asyncio.wait_for(response.results_async(), patience_s)
        except Exception as error:
            log.warning("replicas of %s did not answer %s: %r", name, method, error)
            return []
        return [row for row in found if isinstance(row, dict)]
