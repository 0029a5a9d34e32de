"""Who is champion of one domain, and that every replica follows it.

The registry's alias is the truth, whoever moved it: it is read, the bundle fetched and verified,
the pointer written to disk and every replica told, under one lock, so that two changes at once
end in the same order everywhere.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from ray.serve.handle import DeploymentHandle

from data.errors import BundleError, Conflict, UnknownName
from data.home import Home
from models.bundle import cached, file_bytes, load_bundle
from models.registry.registry import Registry, Version, must_be_bundle
from serve_app.replica.champion_pointer import Pointer, pointed_since, read_pointer, write_pointer

SWAP_PATIENCE_S = 30.0
RETRY_S = 30.0  # after a bundle that could not be fetched

log = logging.getLogger("ray.serve")


class Promotion:
    def __init__(
        self,
        domain: str,
        home: Home,
        registry: Registry,
        replicas: DeploymentHandle,
        pinned: str | None = None,
        purged: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        """With a `pinned` version that one serves, wherever the alias leads. `purged` tells, in a
        thread, the digests of bundles that no machine is to keep."""
        self._domain = domain
        self.pinned = pinned
        self._home = home
        self.registry = registry
        self._handle = replicas
        self._purged = purged
        self._moving = asyncio.Lock()
        self._broken: tuple[str, float, Exception] | None = None
        self._strange = ""  # the number of the version last found to be no bundle
        self.failures = 0  # of champions that never came as far as a replica
        self.champion: Version | None = None
        self.since: datetime | None = None  # that it serves
        self.replicas: list[dict[str, Any]] = []

    @property
    def agree(self) -> bool:
        """Every replica serves the champion's version, to the byte."""
        if self.champion is None or not self.replicas:
            return False
        wanted = (self.champion.number, self.champion.digest)
        return all((row["version"], row["digest"]) == wanted for row in self.replicas)

    def pointer(self) -> Pointer | None:
        if self.champion is None:
            return read_pointer(self._home, self._domain)
        return Pointer(self._domain, self.champion.number, self.champion.digest)

    async def fetch(self, digest: str) -> dict[str, bytes]:
        """A version's files, for a replica whose node has not got them."""
        version = self.champion
        if version is None or version.digest != digest:
            version = await asyncio.to_thread(self._registered, digest)
        folder = await asyncio.to_thread(self.registry.fetch, version, self._home.bundles)
        return await asyncio.to_thread(lambda: file_bytes(load_bundle(folder)))

    def _registered(self, digest: str) -> Version:
        for version in self.registry.versions(self._domain):
            if version.digest == digest:
                return version
        raise UnknownName(f"{self._domain} has no version with the digest {digest[:12]}")

    async def reconcile(self) -> None:
        """Champion alias -> pointer on disk -> every replica. Raises what keeps it from that."""
        async with self._moving:
            await self._reconcile()

    async def promote(self, number: str) -> dict[str, Any]:
        return await self._move(lambda: self._promote(number))

    async def rollback(self) -> dict[str, Any]:
        return await self._move(self._rollback)

    async def _move(self, change: Callable[[], Version]) -> dict[str, Any]:
        if self.pinned:
            raise Conflict(
                f"{self._domain} is pinned to version {self.pinned} by TELLTALE_MODEL_VERSION; "
                "start the service without it to change what serves"
            )
        started = time.perf_counter()
        async with self._moving:
            version = await asyncio.to_thread(change)
            self._broken = None
            await self._reconcile()
        return {
            "domain": self._domain,
            "version": version.number,
            "digest": version.digest,
            "replicas": len(self.replicas),
            "agree": self.agree,
            "seconds": round(time.perf_counter() - started, 3),
        }

    def _promote(self, number: str) -> Version:
        """A version is fetched and verified before the alias moves, not after."""
        self.registry.fetch(self.registry.version(self._domain, number), self._home.bundles)
        return self.registry.promote(self._domain, number)

    def _rollback(self) -> Version:
        """To what serves, where somebody has moved the alias to what cannot."""
        alias = self.registry.champion(self._domain)
        if self.champion is not None and alias is not None and not alias.is_bundle:
            return self.registry.promote(self._domain, self.champion.number)
        for version in self.registry.versions(self._domain):
            if "previous" in version.aliases:
                self.registry.fetch(version, self._home.bundles)
                return self.registry.rollback(self._domain)
        raise Conflict(f"{self._domain} has no previous version to go back to")

    async def _reconcile(self) -> None:
        try:
            version = await asyncio.to_thread(self._wanted)
            if version is not None:
                await self._have(version)
        except Exception:
            # The replicas stay where they are, and what they serve is still worth knowing.
            await self._broadcast("report")
            raise
        if version is None:
            await self._broadcast("report")
            return
        if self.champion is not None and self.champion.number != version.number:
            await asyncio.to_thread(self.registry.remember, self.champion)
        self.champion = version
        pointer = Pointer(self._domain, version.number, version.digest)
        moved = await asyncio.to_thread(read_pointer, self._home, self._domain) != pointer
        if moved:
            await asyncio.to_thread(write_pointer, self._home, pointer)
        if moved or self.since is None:
            self.since = await asyncio.to_thread(pointed_since, self._home, self._domain)
        await self._broadcast("follow", pointer, await asyncio.to_thread(self._purged))

    def _wanted(self) -> Version | None:
        if self.pinned:
            return self.registry.version(self._domain, self.pinned)
        return self.registry.champion(self._domain)

    async def _have(self, version: Version) -> Path:
        """The version's verified bundle on this node. One that is damaged stays damaged, so it
        is not fetched anew at every beat."""
        self._must_be_bundle(version)
        folder = await asyncio.to_thread(cached, self._home.bundles, version.digest)
        if folder is not None:
            return folder
        if self._broken is not None:
            digest, until, error = self._broken
            if digest == version.digest and time.monotonic() < until:
                raise error
        try:
            return await asyncio.to_thread(self.registry.fetch, version, self._home.bundles)
        except Exception as error:
            self._broken = (version.digest, time.monotonic() + RETRY_S, error)
            self.failures += 1
            raise

    def _must_be_bundle(self, version: Version) -> None:
        """Counted once for each version, though it is looked at every beat."""
        try:
            must_be_bundle(version)
        except BundleError:
            self.failures += version.number != self._strange
            self._strange = version.number
            raise

    async def _broadcast(self, method: str, *arguments: Any) -> None:
        """Replicas that do not answer are left out of the picture, not the others with them."""
        response = self._handle.broadcast(method, self._domain, *arguments)
        try:
            found = await response.results_async(timeout_s=SWAP_PATIENCE_S, return_exceptions=True)
        except Exception as error:
            log.warning("replicas of %s did not answer %s: %r", self._domain, method, error)
            found = []
        self.replicas = [row for row in found if isinstance(row, dict)]
