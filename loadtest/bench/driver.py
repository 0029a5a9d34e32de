"""The client: one fixed request over and over on kept-alive connections, in a process of its own.

What the client itself costs is reported with the rate, and every request that was not answered
with a 2xx is counted.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from loadtest.client.http_load import BROKEN
from loadtest.client.offer import Offered, offer


@dataclass(frozen=True)
class Load:
    """What came of it: only what was answered with a 2xx counts as answered."""

    answered: int
    seconds: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    errors: dict[str, int]  # kind -> how many; kinds that did not occur are left out
    client_cpu_s: float

    @property
    def rate(self) -> float:
        return self.answered / self.seconds


def drive(url: str, path: str, clip: bytes, body: str, connections: int, seconds: int) -> Load:
    """`body` is form, or raw: the clip alone; servers see from its bytes what it is. Raises
    NotReady with the client's own words if it could not run."""
    options = ["--path", path, *(["--raw"] if body == "raw" else [])]
    with tempfile.NamedTemporaryFile() as file:
        file.write(clip)
        file.flush()
        return load_of(offer(url, Path(file.name), seconds, *options, clients=connections))


def load_of(offered: Offered) -> Load:
    """Latencies are of all that was answered, with whatever status."""
    replied = offered.status != BROKEN
    answered = int(((offered.status >= 200) & (offered.status < 300)).sum())
    waits_ms = (offered.ended_s - offered.due_s)[replied] * 1e3
    errors = {
        "status": int(replied.sum()) - answered,
        "connect": offered.unconnected,
        "read": int((~replied).sum()) - offered.unconnected,
    }
    p50, p95, p99 = np.quantile(waits_ms if waits_ms.size else [0.0], [0.5, 0.95, 0.99]).tolist()
    seen = {kind: count for kind, count in errors.items() if count}
    return Load(answered, offered.seconds, p50, p95, p99, seen, offered.client_cpu_s)
