"""The model a replica serves, and how it changes while requests flow.

A swap loads, verifies, tests and warms the new model in a thread; then it is one assignment.
Whatever goes wrong before that leaves the old model serving and is reported in `load_error`.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from data.domains.domain import Domain, load_domains
from data.errors import NotReady
from data.home import Home
from data.quality.copy_pairs import Fingerprints
from models.bundle import PRETRAINED, Bundle, cached, keep, load_bundle
from models.registry.current_model import SHIPPED, shipped
from models.runtime import OnnxModel
from serve_app.replica.champion_pointer import Pointer, read_pointer
from serve_app.statuses import in_words

RETRY_S = 60.0  # loading costs a core, and a damaged version stays damaged

log = logging.getLogger("ray.serve")

Fetch = Callable[[str], Awaitable[dict[str, bytes]]]


@dataclass(frozen=True)
class LoadedVersion:
    """One loaded version."""

    version: str
    digest: str
    domain: Domain
    bundle: Bundle
    model: OnnxModel
    exam_clips: frozenset[str]

    @cached_property
    def exam_fingerprints(self) -> Fingerprints | None:
        """Read when a clip is first compared with them; None where the bundle has none."""
        return self.bundle.exam_fingerprints()


class Champion:
    def __init__(self, name: str, home: Home) -> None:
        self._name = name
        self._home = home
        self._swapping = asyncio.Lock()
        self._served: LoadedVersion | None = None
        self._failed: Pointer | None = None
        self._retry_at = 0.0
        self.load_error: str | None = None
        self.failures = 0
        self.swaps = 0
        self.last_swap_s: float | None = None

    @property
    def served(self) -> LoadedVersion:
        if self._served is None:
            raise NotReady(
                f"{self._name} has no model yet; retrain it in full, from its data set, before you "
                "upload labelled clips to teach it"
            )
        return self._served

    @property
    def loaded(self) -> bool:
        return self._served is not None

    async def start(self, pointer: Pointer | None, fetch: Fetch) -> None:
        """The curator's pointer if it answered, else the last one on disk, else what is shipped."""
        pointer = pointer or read_pointer(self._home, self._name)
        if pointer is not None:
            await self.follow(pointer, fetch)
        if self._served is None:
            self._served = await asyncio.to_thread(load_shipped, self._name)

    async def follow(self, pointer: Pointer, fetch: Fetch) -> None:
        """Makes `pointer` the served version; on any failure keeps the old one. Never raises."""
        async with self._swapping:
            if self._at(pointer):
                self.load_error = None
                return
            if self._failed == pointer and time.monotonic() < self._retry_at:
                return
            started = time.perf_counter()
            try:
                folder = await self._folder(pointer.digest, fetch)
                self._served = await asyncio.to_thread(load_served, folder, pointer.version)
            except Exception as error:
                self._failed, self._retry_at = pointer, time.monotonic() + RETRY_S
                self.load_error = f"version {pointer.version}: {in_words(error)}"
                self.failures += 1
                log.exception("%s keeps its model: %s", self._name, self.load_error)
                return
            self.load_error = None
            self.swaps += 1
            self.last_swap_s = round(time.perf_counter() - started, 4)

    def _at(self, pointer: Pointer) -> bool:
        served = self._served
        return served is not None and (served.version, served.digest) == (
            pointer.version,
            pointer.digest,
        )

    async def _folder(self, digest: str, fetch: Fetch) -> Path:
        folder = await asyncio.to_thread(cached, self._home.bundles, digest)
        if folder is not None:
            return folder
        return await asyncio.to_thread(keep, self._home.bundles, await fetch(digest))


def load_shipped(name: str) -> LoadedVersion | None:
    folder = shipped(load_domains(names=(name,))[name], PRETRAINED)
    return None if folder is None else load_served(folder, SHIPPED)


def load_served(folder: Path, version: str) -> LoadedVersion:
    """Raises BundleError if the bundle is damaged, fails its self-test or needs too much."""
    bundle = load_bundle(folder)
    model = OnnxModel(bundle)
    model.self_test()
    domain = bundle.domain
    silence = np.zeros((1, *domain.window), np.float32)
    for size in (1, domain.serving.max_batch_size):
        model.predict([silence] * size)
    exam_clips = frozenset(bundle.exam().clip_ids)
    return LoadedVersion(version, bundle.digest, domain, bundle, model, exam_clips)
