"""Keys as tests hand them out, and as an earlier Telltale kept them."""

import asyncio
import json
from pathlib import Path

from data.access_keys import Key, Role, digest_of, new_key
from data.database.schema import now
from data.store.store import Store
from serve_app.http.auth import Keyring
from serve_app.key_file import KnownKeys


def key_of(store: Store, name: str, role: Role) -> str:
    return store.keys.add(name, role, who="a test").secret


def keyring(admin_key: str, **roles: Role) -> Keyring:
    """Of routes without the door that looks keys up: others' keys are their names."""
    known = {digest_of(name): Key(name, role, "a test", now()) for name, role in roles.items()}
    found = Keyring(admin_key, lambda: KnownKeys(known))
    asyncio.run(found.look("Bearer anybody's"))
    return found


def old_key(root: Path, name: str, role: str) -> str:
    """One in the keys.json of the home."""
    path, key = root / "keys.json", new_key()
    rows = json.loads(path.read_bytes()) if path.exists() else {}
    rows[digest_of(key)] = {"name": name, "role": role}
    path.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return key
