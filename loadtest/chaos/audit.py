"""After the service has stopped: is everything there that it said it had kept, and nothing else?"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from data.errors import TelltaleError
from data.home import planned_home
from data.store.store import Store
from loadtest.chaos.clients import Ledger
from models.local import SHIPPED


@dataclass(frozen=True)
class Audit:
    """Digests of clips. `lost`: acknowledged, but gone or damaged, or without their receipt;
    `foreign`: in the store, but never sent to it; `kept`: how many were acknowledged. And what
    predictions named as their model, but is no version of the service."""

    kept: int
    lost: tuple[str, ...]
    foreign: tuple[str, ...]
    strange_versions: tuple[str, ...] = ()


def audited(home: Path, ledger: Ledger, versions: Mapping[str, str]) -> Audit:
    """`versions` -> digest, all that there are; empty where the service could not tell. Raises
    NotReady where the database cannot be opened."""
    place = planned_home({"TELLTALE_HOME": str(home)})
    store = Store.open(place.database_url, place.storage_uri)
    try:
        lost = [sha256 for sha256 in ledger.kept if not _is_there(store, ledger, sha256)]
        stored = {clip.sha256 for clip in store.clips.find(ledger.domain, limit=None)}
    finally:
        store.close()
    strange = _strange(ledger, versions) if versions else []
    return Audit(
        len(ledger.kept), tuple(lost), tuple(sorted(stored - ledger.clips)), tuple(strange)
    )


def _is_there(store: Store, ledger: Ledger, sha256: str) -> bool:
    """Its row, its bytes by their hash, and what was said of it."""
    try:
        store.clips.get(ledger.domain, sha256)
        store.clips.read(sha256)
        receipt = ledger.kept[sha256]
        return receipt is None or store.feedback.get(receipt).clip_sha256 == sha256
    except TelltaleError:
        return False


def _strange(ledger: Ledger, versions: Mapping[str, str]) -> list[str]:
    """What is shipped is served before it has its number in the registry."""
    digests = set(versions.values())
    return [
        f"version {version} with digest {digest[:12]}"
        for version, digest in ledger.versions
        if versions.get(version) != digest and (version, digest in digests) != (SHIPPED, True)
    ]
