"""Clips that somebody asked us to forget, and the versions whose memory still holds them.

What counts is the memory itself: the event log says what was asked, the store whether it was sent
again. So a lost message changes nothing, and a version that learnt a clip through its parent is
found as well. All of it blocks.
"""

import logging
from contextlib import suppress
from datetime import timedelta
from typing import Any

from data.database.schema import now
from data.domains.domain import Domain
from data.errors import BundleError, NotReady, UnknownName
from data.home import Home
from data.store.store import Store
from models.registry.registry import CHAMPION, REMOVED, Registry, Version

PURGED, MOST_PURGED = "model.purged", 1000
KEPT = 32  # versions whose memory is not read again; half a megabyte each

log = logging.getLogger("ray.serve")


class Forgetting:
    def __init__(self, store: Store, registry: Registry, home: Home) -> None:
        self._store = store
        self._registry = registry
        self._home = home
        self._asked: dict[str, tuple[frozenset[str], int]] = {}  # by domain, up to an event
        self._memories: dict[tuple[str, str, str], frozenset[str]] = {}
        self._purged: dict[str, frozenset[str]] = {}

    def forget_expired(self, domain: Domain) -> None:
        """What came longer ago than the domain keeps; who remembers it is taught as ever."""
        if domain.retention_days is None:
            return
        before = now() - timedelta(days=domain.retention_days)
        for sha256 in self._store.clips.labels(domain.name, before=before):
            with suppress(UnknownName):  # somebody was quicker
                self._store.clips.forget(domain.name, sha256, who="retention")

    def by_champion(self, domain: str) -> frozenset[str]:
        """The clips to forget that the champion still remembers; asked at each beat."""
        asked = self._asked_for(domain)
        version = self._registry.champion(domain) if asked else None
        return self._held(version, asked) if version is not None else frozenset()

    def remembering(self, domain: str, sha256: str) -> dict[str, Any]:
        """Which versions hold a clip that was forgotten, oldest first, and what becomes of that."""
        asked = frozenset({sha256})
        holders = [each for each in self._versions(domain) if self._held_or_none(each, asked)]
        return {"versions": [each.number for each in holders], "message": _told(holders)}

    def warning(self, domain: str, number: str) -> str | None:
        """For whoever makes an older version the champion again."""
        version = self._registry.version(domain, number)
        held = self._held_or_none(version, self._asked_for(domain))
        if not held:
            return None
        return (
            f"version {number} still remembers clips that somebody asked us to forget "
            f"({len(held)}); a teach that forgets them starts by itself"
        )

    def purge(self, domain: str, who: str, pinned: str | None = None) -> dict[str, Any]:
        """Removes the versions that hold forgotten clips, but for the champion and one that serves
        in its place."""
        asked, purged, unread = self._asked_for(domain), [], []
        for version in self._versions(domain):
            if CHAMPION in version.aliases or version.number == pinned:
                continue
            held = self._held_or_none(version, asked)
            if held is None and REMOVED not in version.tags:
                unread.append(version.number)
            elif held or REMOVED in version.tags:
                self._registry.remove(version, self._home.bundles)
                self._record(version, held or frozenset(), who)
                purged.append(version.number)
        return {"domain": domain, "purged": purged, "unread": unread}

    def purged(self, domain: str) -> frozenset[str]:
        """The digests of versions that were removed: their files may lie on other machines still,
        which are told at each beat."""
        if domain not in self._purged:
            events = self._store.events.latest(domain, kind=PURGED, limit=MOST_PURGED)
            self._purged[domain] = frozenset(str(event.detail["digest"]) for event in events)
        return self._purged[domain]

    def _record(self, version: Version, held: frozenset[str], who: str) -> None:
        self._store.events.add(
            PURGED,
            subject=f"model:{version.domain}:{version.number}",
            who=who,
            domain=version.domain,
            detail={"digest": version.digest, "forgotten": len(held)},
        )
        self._purged.pop(version.domain, None)

    def _versions(self, domain: str) -> list[Version]:
        return self._registry.versions(domain)[::-1]

    def _asked_for(self, domain: str) -> frozenset[str]:
        asked, after = self._asked.get(domain, (frozenset(), 0))
        more, last = self._store.clips.forgotten(domain, after=after)
        self._asked[domain] = (asked | more, last)
        return asked | more

    def _held(self, version: Version, asked: frozenset[str]) -> frozenset[str]:
        remembered = asked & self._memory(version)
        return frozenset(self._store.clips.missing(version.domain, remembered))

    def _held_or_none(self, version: Version, asked: frozenset[str]) -> frozenset[str] | None:
        """None of a version whose files are damaged or gone: it can serve nobody either."""
        try:
            return self._held(version, asked)
        except (BundleError, NotReady):
            log.warning("version %s of %s cannot be read", version.number, version.domain)
            return None

    def _memory(self, version: Version) -> frozenset[str]:
        key = (version.domain, version.number, version.digest)
        if (known := self._memories.get(key)) is not None:
            return known
        found = frozenset(self._registry.memory(version).clip_ids)
        if len(self._memories) >= KEPT:
            self._memories.pop(next(iter(self._memories)), None)
        self._memories[key] = found
        return found


def _told(holders: list[Version]) -> str:
    serves = [each.number for each in holders if CHAMPION in each.aliases]
    older = [each.number for each in holders if CHAMPION not in each.aliases]
    said = []
    if serves:
        said.append(
            f"version {serves[0]}, which serves, still remembers it: a teach that forgets it "
            "starts by itself"
        )
    if older:
        held = f"versions in the registry that still hold it: {', '.join(older)}"
        said.append(f"{held}; POST /models/purge removes those that do not serve")
    return "; ".join(said) or "no version remembers it"
