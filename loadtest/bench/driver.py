"""The client: one fixed request over and over on kept-alive connections, in a process of its own.

wrk where it is installed, else an asyncio client (`fallback.py`). What the client itself costs is
reported with the rate, and every request that was not answered with a 2xx is counted. wrk's
percentiles include the requests that a stalled server kept it from sending.
"""

import json
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from loadtest.client.clip import FORM_TYPE
from loadtest.client.clip import form as multipart

# url, file with the body, content type, connections, seconds -> the command to run
Client = Callable[[str, Path, str, int, int], list[str]]
TIMEOUT_S = 60
KINDS = ("status", "connect", "read", "write", "timeout")
SCRIPT = """
wrk.method = "POST"
wrk.body = io.open("{body}", "rb"):read("*a")
wrk.headers["Content-Type"] = "{content_type}"
done = function(summary, latency, requests)
  local e = summary.errors
  local text = '{{"requests": %d, "seconds": %f, "p50": %f, "p95": %f, "p99": %f, ' ..
    '"status": %d, "connect": %d, "read": %d, "write": %d, "timeout": %d}}'
  io.write("\\n" .. string.format(text, summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3,
    e.status, e.connect, e.read, e.write, e.timeout) .. "\\n")
end
"""


@dataclass(frozen=True)
class Request:
    content_type: str
    body: bytes


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


def form(clip: bytes) -> Request:
    """The clip as part `file` of a multipart form."""
    return Request(FORM_TYPE, multipart("file", [clip]))


def raw(clip: bytes) -> Request:
    """The clip alone; what it is, servers see from its bytes."""
    return Request("audio/wav", clip)


def client_name() -> str:
    return "wrk" if shutil.which("wrk") else "asyncio"


def drive(
    url: str, request: Request, connections: int, seconds: int, client: Client | None = None
) -> Load:
    """Raises RuntimeError with the client's own words if it could not run."""
    client = client or (wrk_client if shutil.which("wrk") else asyncio_client)
    with tempfile.TemporaryDirectory() as folder:
        body = Path(folder) / "body"
        body.write_bytes(request.body)
        command = client(url, body, request.content_type, connections, seconds)
        before = _children_cpu_s()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()}")
    return parsed(done.stdout, _children_cpu_s() - before)


def wrk_client(
    url: str, body: Path, content_type: str, connections: int, seconds: int
) -> list[str]:
    script = body.with_name("post.lua")
    script.write_text(SCRIPT.format(body=body, content_type=content_type), encoding="utf-8")
    options = [f"-c{connections}", f"-d{seconds}s", f"--timeout={TIMEOUT_S}s", "-s", str(script)]
    return ["wrk", "-t1", *options, url]


def asyncio_client(
    url: str, body: Path, content_type: str, connections: int, seconds: int
) -> list[str]:
    options = ["--connections", str(connections), "--seconds", str(seconds)]
    options += ["--content-type", content_type]
    return [sys.executable, "-m", "loadtest.bench.fallback", url, str(body), *options]


def parsed(out: str, client_cpu_s: float) -> Load:
    """Either client's output: its last line is JSON."""
    found = json.loads(out.strip().splitlines()[-1])
    # wrk counts a 4xx and a 5xx among its requests, too.
    return Load(
        answered=found["requests"] - found["status"],
        seconds=found["seconds"],
        p50_ms=found["p50"],
        p95_ms=found["p95"],
        p99_ms=found["p99"],
        errors={kind: found[kind] for kind in KINDS if found.get(kind)},
        client_cpu_s=client_cpu_s,
    )


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
