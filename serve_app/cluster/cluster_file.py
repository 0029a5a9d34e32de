"""What the machines of one Telltale have in common, and the file that lets a machine check it.

The head writes `cluster.json` into TELLTALE_HOME, the folder that all of them mount: Ray's token,
the keys and, unless they have addresses of their own, the clips are in there, too.
"""

import hashlib
import json
import platform
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from data.atomic import atomic_file
from data.domains.domain import config_root
from data.errors import Conflict, InvalidParameter, NotReady
from data.home import Home
from data.install_paths import CODE
from serve_app.settings import Settings, is_loopback

PATIENCE_S = 5.0

DIFFERENCES = {
    "ray": "the head runs Ray {theirs}, this machine {mine}; install the same versions on both: "
    "pip install --constraint deploy/constraints.txt",
    "code": "this machine's Telltale ({mine}) is not the head's ({theirs}); put the same source "
    "and domain files (configs/, or those of TELLTALE_CONFIGS) on both",
    "stores": "TELLTALE_DATABASE_URL or TELLTALE_STORAGE_URI is not the head's; set both to "
    "what they are there, since whoever answers a correction must keep it in the one store",
    "admin_key": "TELLTALE_ADMIN_KEY is not the head's; set it to what it is there, or this "
    "machine would refuse the admin",
}


@dataclass(frozen=True)
class Cluster:
    """A running Telltale as the head describes it. `address` is that of Ray, host:port;
    `stores` and `admin_key` are digests, `kernel` names the running Linux."""

    address: str
    host: str
    port: int
    domains: tuple[str, ...]
    cors_origins: tuple[str, ...]
    ray: str
    code: str
    stores: str
    sqlite: bool
    admin_key: str
    kernel: str

    @property
    def ip(self) -> str:
        return self.address.rpartition(":")[0]


def described(settings: Settings, address: str) -> Cluster:
    """This machine, as it would be if it were the head."""
    home = settings.home
    stores = f"{home.database_url} {home.storage_uri}".replace(str(home.root), "<home>")
    return Cluster(
        address=address,
        host=settings.host,
        port=settings.port,
        domains=settings.domains,
        cors_origins=settings.cors_origins,
        ray=f"{version('ray')} on Python {platform.python_version()}",
        code=_code(),
        stores=_digest(stores),
        sqlite=home.database_url.startswith("sqlite"),
        admin_key=_digest(settings.admin_key),
        kernel=Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip(),
    )


@contextmanager
def announced(settings: Settings, address: str) -> Iterator[None]:
    """`cluster.json` is there inside the block, readable by its owner only."""
    path = _path(settings.home)
    with atomic_file(path, mode=0o600) as file:
        file.write(json.dumps(asdict(described(settings, address)), indent=1).encode())
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def read_cluster(home: Home) -> Cluster:
    """Raises NotReady where no head has announced itself in this folder."""
    try:
        found = json.loads(_path(home).read_text(encoding="utf-8"))
        lists = {name: tuple(found[name]) for name in ("domains", "cors_origins")}
        return Cluster(**{**found, **lists})
    except FileNotFoundError:
        raise NotReady(
            f"no Telltale runs in {home.root}; start the head, and mount its TELLTALE_HOME on this "
            "machine: all machines of one Telltale share that folder"
        ) from None
    except (ValueError, TypeError, KeyError):
        raise Conflict(
            f"{_path(home)} was written by another version of Telltale; put the same on both"
        ) from None


def ip_towards(cluster: Cluster) -> str:
    """This machine's address as the head sees it. Raises NotReady where nothing answers there."""
    host, _, port = cluster.address.rpartition(":")
    if not host or not port.isdigit():
        raise InvalidParameter(
            f"the head's address must read host:port, for example 10.0.0.5:6379; got "
            f"{cluster.address!r}"
        )
    try:
        with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as connection:
            return str(connection.getsockname()[0])
    except OSError as error:
        raise NotReady(
            f"nothing answers at {cluster.address} ({error.strerror or error}); is the head still "
            "running, and do its firewall and this machine's let the two of them talk?"
        ) from None


def refuse_unfit(settings: Settings, cluster: Cluster, ip: str) -> None:
    """Raises Conflict for a machine whose replicas would not answer as the head's do."""
    mine = asdict(described(settings, cluster.address))
    theirs = asdict(cluster)
    for name, words in DIFFERENCES.items():
        if mine[name] != theirs[name]:
            raise Conflict(words.format(mine=mine[name], theirs=theirs[name]))
    if is_loopback(cluster.host) and ip != cluster.ip:
        raise Conflict(
            f"the head at {cluster.ip} keeps to itself (TELLTALE_HOST={cluster.host}), so would "
            "replicas here; start it with TELLTALE_HOST=0.0.0.0 and a TELLTALE_ADMIN_KEY"
        )
    if cluster.sqlite and mine["kernel"] != theirs["kernel"]:
        raise Conflict(
            "the head keeps clips in SQLite, which two machines cannot write to; set "
            "TELLTALE_DATABASE_URL to a PostgreSQL (postgresql+psycopg://...) on both"
        )


def _code() -> str:
    """Names every byte that decides how a replica answers."""
    digest = hashlib.sha256()
    found = [
        (str(path.relative_to(CODE)), path)
        for folder in ("data", "models", "serve_app")
        for path in sorted((CODE / folder).rglob("*.py"))
    ]
    found += [(path.name, path) for path in sorted(config_root().glob("*.yaml"))]
    for name, path in found:
        digest.update(f"{name}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _path(home: Home) -> Path:
    return home.root / "cluster.json"
