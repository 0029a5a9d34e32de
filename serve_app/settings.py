"""Addresses and secrets from the environment (`TELLTALE_*`), read once and checked."""

import contextlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from data.domain import config_root, load_domains
from data.errors import InvalidParameter
from data.home import Home, home_from_env
from serve_app.auth import new_key

START_HEADER = "x-telltale-start"
HOSTS = {"127.0.0.1": True, "localhost": True, "0.0.0.0": False}  # loopback or not


@dataclass(frozen=True)
class Settings:
    home: Home
    host: str
    port: int
    domains: tuple[str, ...]
    admin_key: str = field(repr=False)
    start_token: str = field(default="", repr=False)  # by which a start knows its own service

    @property
    def url(self) -> str:
        host = "127.0.0.1" if self.host == "0.0.0.0" else self.host
        return f"http://{host}:{self.port}"


def settings_from_env(environment: Mapping[str, str] = os.environ) -> Settings:
    """Raises InvalidParameter for a port that is none, or for a wide bind without a key."""
    home = home_from_env()
    host = environment.get("TELLTALE_HOST", "127.0.0.1")
    chosen_key = environment.get("TELLTALE_ADMIN_KEY", "")
    if not is_loopback(host) and len(chosen_key) < 16:
        raise InvalidParameter(
            f"TELLTALE_HOST={host} opens the service to other machines; set TELLTALE_ADMIN_KEY "
            "to a secret of at least 16 characters first, or leave TELLTALE_HOST at 127.0.0.1"
        )
    names = tuple(filter(None, environment.get("TELLTALE_DOMAINS", "").replace(",", " ").split()))
    return Settings(
        home=home,
        host=host,
        port=_port(environment.get("TELLTALE_PORT", "8000")),
        domains=tuple(load_domains(config_root(environment), names)),
        admin_key=chosen_key or kept_secret(home.root / "admin-key", new_key()),
        start_token=environment.get("TELLTALE_START_TOKEN", ""),
    )


def _port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise InvalidParameter(f"TELLTALE_PORT must be a number from 1 to 65535, got {text!r}")
    return int(text)


def is_loopback(host: str) -> bool:
    """Raises InvalidParameter for one address among several: Serve's proxy reaches the replicas
    of its own machine by 127.0.0.1, which is then not theirs."""
    if host not in HOSTS:
        raise InvalidParameter(
            f"TELLTALE_HOST must be {' or '.join(HOSTS)}, got {host!r}; to keep other networks "
            "out, use 0.0.0.0 and a firewall"
        )
    return HOSTS[host]


def kept_secret(path: Path, fresh: str) -> str:
    """The secret in `path`; `fresh` if there is none yet. Whole or absent, also when two start at
    once or one is killed, and readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(fresh + "\n")
        with contextlib.suppress(FileExistsError):
            os.link(partial, path)
    finally:
        os.unlink(partial)
    return path.read_text(encoding="utf-8").strip()
