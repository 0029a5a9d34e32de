"""Which version serves a domain: the curator's word, kept on disk for when it is away."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from data.atomic import atomic_file
from data.home import Home


@dataclass(frozen=True)
class Pointer:
    """`version` is the registry's number, or "shipped" before a registry has seen the bundle."""

    domain: str
    version: str
    digest: str


def write_pointer(home: Home, pointer: Pointer) -> None:
    path = _path(home, pointer.domain)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as file:
        file.write(json.dumps(asdict(pointer)).encode())


def read_pointer(home: Home, domain: str) -> Pointer | None:
    try:
        return Pointer(**json.loads(_path(home, domain).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def pointed_since(home: Home, domain: str) -> datetime | None:
    """Since when the pointer says what it says: it is written only when that changes."""
    try:
        return datetime.fromtimestamp(_path(home, domain).stat().st_mtime, UTC)
    except FileNotFoundError:
        return None


def _path(home: Home, domain: str) -> Path:
    return home.root / "champions" / f"{domain}.json"
