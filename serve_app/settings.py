"""Addresses and secrets from the environment (`TELLTALE_*`), read once and checked."""

import contextlib
import ipaddress
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data.access_keys import new_key
from data.domains.domain import domains_from_env
from data.errors import InvalidParameter
from data.home import Home, home_from_env

START_HEADER = "x-telltale-start"
PASSED_HEADER = "x-telltale-passed"  # of HAProxy to its own replicas: "start", and the token
DEPLOYMENT = "DomainService"  # of the replicas that answer clips, in each of their applications
VISITOR_HEADER = "x-telltale-visitor"  # of the page: the token of the start, and an address
HOSTS = {"127.0.0.1": True, "localhost": True, "0.0.0.0": False}  # loopback or not
MOST_A_MINUTE = 60_000  # HAProxy counts in milliseconds
NOT_PASSED = "this port is for the service's own HAProxy; ask at the port of TELLTALE_PORT"
OWN_NAMES = ("127.0.0.1", "localhost", "[::1]")
LOG_LEVELS = ("debug", "info", "warning", "error")
NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]")
ORIGIN = re.compile(rf"https?://({NAME.pattern})(:\d{{1,5}})?")


@dataclass(frozen=True)
class Quotas:
    """Requests with clips a minute of each key, and of each address without one; 0: any number."""

    key: int = 0
    address: int = 0


NO_QUOTAS = Quotas()


@dataclass(frozen=True)
class Settings:
    home: Home
    host: str
    port: int
    domains: tuple[str, ...]
    admin_key: str = field(repr=False)
    start_token: str = field(default="", repr=False)  # by which a start knows its own service
    names: tuple[str, ...] = ()  # that requests may call it by; any where there are none
    cors_origins: tuple[str, ...] = ()  # of pages that may ask from a browser, "*" for any
    quotas: Quotas = NO_QUOTAS
    proxies: tuple[str, ...] = ()  # networks in front, from which the connections of many come
    webhook_url: str = field(default="", repr=False)  # told what happens; none where it is empty
    webhook_secret: str = field(default="", repr=False)
    log_level: str = ""  # deploy/serve.yaml's where it is empty
    access_log: bool = False
    traces: str = ""  # the collector of spans: cluster/traces.py
    pinned: Mapping[str, str] = field(default_factory=dict)  # domain -> the version that serves
    shared_replicas: bool = False  # each serves all domains

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
    domains = tuple(domains_from_env(environment))
    return Settings(
        home=home,
        host=host,
        port=_port(environment.get("TELLTALE_PORT", "8000")),
        domains=domains,
        admin_key=chosen_key or kept_secret(home.root / "admin-key", new_key()),
        start_token=environment.get("TELLTALE_START_TOKEN", ""),
        names=_names(host, environment.get("TELLTALE_ALLOWED_HOSTS", "")),
        cors_origins=_origins(environment.get("TELLTALE_CORS_ORIGINS", "")),
        quotas=Quotas(
            key=_a_minute("TELLTALE_QUOTA_KEY", environment),
            address=_a_minute("TELLTALE_QUOTA_ADDRESS", environment),
        ),
        proxies=_networks(environment.get("TELLTALE_PROXIES", "")),
        **_webhook(environment),
        log_level=_one_of(environment, "TELLTALE_LOG_LEVEL", LOG_LEVELS).upper(),
        access_log=_one_of(environment, "TELLTALE_ACCESS_LOG", ("0", "1")) == "1",
        traces=environment.get("TELLTALE_TRACES", ""),
        pinned=_pinned(environment.get("TELLTALE_MODEL_VERSION", ""), domains),
        shared_replicas=_one_of(environment, "TELLTALE_SHARED_REPLICAS", ("0", "1")) == "1",
    )


def passed_by_haproxy(token: str) -> tuple[bytes, bytes] | None:
    """The header, as ASGI has it, by which a replica knows what HAProxy has passed on; None without
    a token, where nothing stands in front of it."""
    return (PASSED_HEADER.encode(), f"start {token}".encode()) if token else None


def _pinned(text: str, domains: Sequence[str]) -> dict[str, str]:
    """Whether there are such versions, the registry knows."""
    pinned: dict[str, str] = {}
    for pin in text.replace(",", " ").split():
        domain, _, number = pin.partition("=")
        if domain not in domains or domain in pinned or not re.fullmatch(r"[1-9][0-9]*", number):
            raise InvalidParameter(
                "TELLTALE_MODEL_VERSION must be one version for a domain, as faults=3,keywords=1, "
                f"of {', '.join(domains)}; got {pin!r}"
            )
        pinned[domain] = number
    return pinned


def _names(host: str, text: str) -> tuple[str, ...]:
    """On loopback a browser may be led here by a page's own name, so names are known ones; who
    opens the service to others is called by names that we cannot know, unless they are given."""
    added = tuple(filter(None, text.lower().replace(",", " ").split()))
    for name in added:
        if not NAME.fullmatch(name):
            raise InvalidParameter(
                "TELLTALE_ALLOWED_HOSTS must be names or addresses without scheme and port, as "
                f"telltale.example.org, 10.0.0.5; got {name!r}"
            )
    return (*OWN_NAMES, *added) if added or is_loopback(host) else ()


def _origins(text: str) -> tuple[str, ...]:
    """As browsers send them: a path or a slash behind them would never match."""
    origins = tuple(text.lower().replace(",", " ").split())
    for origin in origins:
        if origin != "*" and not ORIGIN.fullmatch(origin):
            raise InvalidParameter(
                "TELLTALE_CORS_ORIGINS must be origins, as https://app.example.org "
                f"http://localhost:3000, or * for all pages; got {origin!r}"
            )
    return origins


def _networks(text: str) -> tuple[str, ...]:
    try:
        words = text.replace(",", " ").split()
        return tuple(str(ipaddress.ip_network(word, strict=False)) for word in words)
    except ValueError as error:
        raise InvalidParameter(
            "TELLTALE_PROXIES must be addresses or networks of proxies and balancers in front, as "
            f"10.0.0.5, 10.1.0.0/16: {error}"
        ) from error


def _a_minute(name: str, environment: Mapping[str, str]) -> int:
    text = environment.get(name) or "0"
    if not (text.isascii() and text.isdigit() and int(text) <= MOST_A_MINUTE):
        raise InvalidParameter(
            f"{name} must be how many requests a minute are answered, from 1 to {MOST_A_MINUTE}, "
            f"or 0 for any number; got {text!r}"
        )
    return int(text)


def _webhook(environment: Mapping[str, str]) -> dict[str, str]:
    """The receiver believes nothing that is not signed."""
    url = environment.get("TELLTALE_WEBHOOK_URL", "")
    secret = environment.get("TELLTALE_WEBHOOK_SECRET", "")
    if url and not _is_address(url):
        raise InvalidParameter("TELLTALE_WEBHOOK_URL must be an address, https://example.org/hook")
    if url and len(secret) < 16:
        raise InvalidParameter(
            "TELLTALE_WEBHOOK_URL needs TELLTALE_WEBHOOK_SECRET, at least 16 characters that the "
            "receiver knows too, to sign what is sent"
        )
    return {"webhook_url": url, "webhook_secret": secret}


def _is_address(url: str) -> bool:
    """Also to whoever will post there, who refuses a port that is no number, say."""
    import httpx  # only for who has a webhook

    try:
        read = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return read.scheme in ("http", "https") and bool(read.host) and not re.search(r"\s", url)


def _one_of(environment: Mapping[str, str], name: str, known: Sequence[str]) -> str:
    """Empty where it is not set."""
    text = environment.get(name, "").lower()
    if text and text not in known:
        raise InvalidParameter(f"{name} must be one of {', '.join(known)}, got {text!r}")
    return text


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
