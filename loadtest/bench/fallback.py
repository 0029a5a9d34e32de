"""The client where wrk is not installed: the asyncio one, reporting as wrk's script does.

    python -m loadtest.bench.fallback http://127.0.0.1:8000/predict BODY --content-type audio/wav \
        --connections 32 --seconds 3
"""

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path

from loadtest.client.wire import Tally, hammer, post

NEVER_MADE = "Connect call failed"  # as asyncio says it; a ConnectionResetError came later


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("url")
    parser.add_argument("body", type=Path)
    parser.add_argument("--content-type", required=True)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    arguments = parser.parse_args()
    request = post(arguments.url, arguments.content_type, arguments.body.read_bytes())
    tally, start = Tally(), time.perf_counter()
    end = start + arguments.seconds
    going = hammer(
        arguments.url,
        request,
        arguments.connections,
        lambda: time.perf_counter() < end,
        tally,
    )
    asyncio.run(going)
    print(json.dumps(summary(tally, time.perf_counter() - start)))
    return 0


def summary(tally: Tally, seconds: float) -> dict[str, float]:
    waits = sorted(reply.ended - reply.started for reply in tally.replies) or [0.0]
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    at = {name: waits[min(len(waits) - 1, int(q * len(waits)))] for name, q in shares.items()}
    return {
        "requests": len(tally.replies),
        "seconds": seconds,
        **{name: wait * 1e3 for name, wait in at.items()},
        "status": sum(not 200 <= reply.status < 300 for reply in tally.replies),
        "connect": sum(NEVER_MADE in cause for _, cause in tally.broken),
        "read": sum(NEVER_MADE not in cause for _, cause in tally.broken),
    }


if __name__ == "__main__":
    sys.exit(main())
