"""Telltale beside a bare FastAPI with the same bundle and kernel, interleaved in one run.

    python -m loadtest.compare clip.wav            a service must be running (make serve)

Absolute figures of a shared machine drift by the hour; the ratio of two servers measured in
turns does not. wrk drives the load where it is installed, an asyncio client elsewhere.
"""

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from loadtest.wire import Tally, hammer, multipart_request

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="the running service")
    parser.add_argument("--bundle", type=Path, default=ROOT / "models/pretrained/faults")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    arguments = parser.parse_args()
    print(f"load average before: {os.getloadavg()[0]:.2f}")
    rates: dict[str, list[float]] = {"bare": [], "telltale": []}
    with bare_server(arguments.bundle, workers=2) as bare_url:
        urls = {"bare": f"{bare_url}/predict", "telltale": f"{arguments.url}/predict"}
        for url in urls.values():
            rate(url, arguments)
        for number in range(arguments.rounds):
            for name, url in urls.items():
                rates[name].append(rate(url, arguments))
            row = "   ".join(f"{name} {found[-1]:7.1f} req/s" for name, found in rates.items())
            print(f"round {number + 1}: {row}", flush=True)
    medians = {name: statistics.median(found) for name, found in rates.items()}
    ratio = medians["telltale"] / medians["bare"]
    print(
        f"{arguments.connections} connections: telltale is {ratio:.2f} of bare FastAPI, 2 workers"
    )
    return 0


@contextmanager
def bare_server(bundle: Path, workers: int) -> Iterator[str]:
    url = "http://127.0.0.1:8199"
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "uvicorn", "loadtest.bare:app", "--factory", "--no-access-log"]
    process = subprocess.Popen(
        [*command, "--workers", str(workers), "--port", "8199", "--log-level", "warning"],
        env={**os.environ, **threads, "TELLTALE_BARE_BUNDLE": str(bundle)},
        cwd=ROOT,
    )
    try:
        for _ in range(150):
            try:
                httpx.get(f"{url}/docs")
                break
            except httpx.TransportError:
                time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait()


def rate(url: str, arguments: argparse.Namespace) -> float:
    """Answered requests a second; raises if any request failed."""
    request = multipart_request(url, arguments.clip.read_bytes())
    if shutil.which("wrk"):
        return _wrk(url, request, arguments.connections, arguments.seconds)
    tally = Tally()
    end = time.perf_counter() + arguments.seconds
    asyncio.run(
        hammer(url, request, arguments.connections, lambda: time.perf_counter() < end, tally)
    )
    assert not tally.failed(), (tally.broken[:3], tally.refused[:3])
    return float(len(tally.replies) / arguments.seconds)


def _wrk(url: str, request: bytes, connections: int, seconds: int) -> float:
    head, _, body = request.partition(b"\r\n\r\n")
    content_type = next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Type"))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "body").write_bytes(body)
        script = Path(folder) / "post.lua"
        script.write_text(
            'wrk.method = "POST"\n'
            f'wrk.body = io.open("{folder}/body", "rb"):read("*a")\n'
            f'wrk.headers["Content-Type"] = "{content_type.decode().partition(": ")[2]}"\n'
        )
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), url]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in out, out
    assert "Socket errors" not in out, out
    return float(out.split("Requests/sec:")[1].split()[0])


if __name__ == "__main__":
    sys.exit(main())
