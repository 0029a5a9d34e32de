"""Registered versions besides the champion, for who asks for one by `?version=` or has a part in
a trial of one (`serving.split`).

They are loaded when they are asked for, in a thread, and few are kept. The curator is asked each
second which there are: one that was removed, since somebody's clip had to be forgotten, is gone
here too. One clip at a time is answered, so that the champion keeps its cores.
"""

import asyncio
import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from reprlib import repr as shortened

from data.errors import NotReady, UnknownName
from data.home import Home
from models.bundle import Bundle, drop, load_bundle
from serve_app.replica.champion import Fetch, LoadedVersion, bundle_folder, load_served
from serve_app.replica.scoring import Item, ScoredClip, answer_batch
from serve_app.replica.shared_look import SharedLook

MOST = 2  # in memory, beside the champion
FRESH_S = 1.0  # so long the curator need not be asked again for a version that it knew

Known = tuple[str, str]  # a version's number, and its bundle's digest
Digests = Callable[[], Awaitable[dict[str, str]]]


class OtherVersions:
    """`digests` tells the registered versions, by number; `fetch` the files of one."""

    def __init__(self, name: str, home: Home, digests: Digests, fetch: Fetch) -> None:
        self._name = name
        self._home = home
        self._digests = digests
        self._fetch = fetch
        self._loaded: OrderedDict[Known, LoadedVersion] = OrderedDict()
        self._fetching = asyncio.Lock()
        self._turn = asyncio.Lock()
        self._known: dict[str, str] = {}
        self._known_at = -math.inf
        self._look = SharedLook[dict[str, str]]()
        self._forgotten: frozenset[str] = frozenset()

    async def numbers(self, patience_s: float) -> tuple[str, ...]:
        """Of those that are registered; where the curator does not answer in time, of those that
        it told before, if any."""
        return tuple(await self._registered(patience_s))

    async def ready(self, number: str, patience_s: float | None = None) -> Known:
        """The version, with its bundle on this machine. Raises UnknownName for one that is not
        registered, NotReady where the curator is away; where it does not answer within
        `patience_s`, what it told before is true."""
        known = await self._registered(patience_s, number)
        if number not in known:
            raise UnknownName(
                f"{self._name} has no version {shortened(number)}; there are {', '.join(known)}"
            )
        version = number, known[number]
        if version not in self._loaded:
            async with self._fetching:
                await bundle_folder(self._home.bundles, known[number], self._fetch)
        return version

    async def described(self, version: Known) -> Bundle:
        """Of one that is `ready`. It is not loaded: whoever only asks what there is puts no version
        out of memory. Raises BundleError for one that is damaged."""
        if version in self._loaded:
            return self._loaded[version].bundle
        folder = await bundle_folder(self._home.bundles, version[1], self._fetch)
        return await asyncio.to_thread(load_bundle, folder)

    async def answer(self, version: Known, item: Item) -> ScoredClip:
        """Of one that is `ready`. Raises BundleError for one that cannot be served, and what is
        wrong with the clip."""
        async with self._turn:
            served = await self._version(version)
            (found,) = await asyncio.to_thread(answer_batch, served, [item])
        if isinstance(found, Exception):
            raise found
        return found

    async def forget(self, purged: frozenset[str]) -> None:
        """Lets go of the bundles with these digests, which remember what somebody asked us to
        forget: in memory, and on this machine, where whoever purged them may not be."""
        new = purged - self._forgotten
        if not new:
            return
        for key in [key for key in self._loaded if key[1] in new]:
            del self._loaded[key]
        for digest in new:
            await asyncio.to_thread(drop, self._home.bundles, digest)
        self._forgotten |= new

    async def _registered(
        self, patience_s: float | None, number: str | None = None
    ) -> dict[str, str]:
        """Looks again also where this number is not among them."""

        def suffices() -> bool:
            return number is None or number in self._known

        if not suffices() or time.monotonic() - self._known_at > FRESH_S:
            try:
                async with asyncio.timeout(patience_s):
                    self._known = await self._look.get(self._digests)
            except (TimeoutError, NotReady) as error:
                if patience_s is None or not suffices():
                    words = "the curator does not answer; try again in a few seconds"
                    raise error if isinstance(error, NotReady) else NotReady(words) from error
            self._known_at = time.monotonic()
        return self._known

    async def _version(self, version: Known) -> LoadedVersion:
        number, digest = version
        if version not in self._loaded:
            folder = await bundle_folder(self._home.bundles, digest, self._fetch)
            self._loaded[version] = await asyncio.to_thread(load_served, folder, number)
        self._loaded.move_to_end(version)
        while len(self._loaded) > MOST:
            self._loaded.popitem(last=False)
        return self._loaded[version]


def on_trial(split: Sequence[tuple[str, float]], who: str) -> str | None:
    """The version that answers this caller, always the same one; None for the champion."""
    place = int.from_bytes(hashlib.sha256(who.encode()).digest()[:8]) / 2**64
    for version, share in split:
        place -= share
        if place < 0:
            return version
    return None
