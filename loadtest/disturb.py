"""What a disturbance costs those who are being served: swaps, or kills, under load.

    python -m loadtest.disturb swap --key KEY clip.wav          10 swaps, 16 clients
    python -m loadtest.disturb kill-replica --key KEY clip.wav
    python -m loadtest.disturb kill-curator --key KEY clip.wav

It disturbs a running service and reports requests, failures, the longest gap between two
answers, and answers whose version and digest do not belong together. Exit code 1 if
any failed or disagree.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from loadtest.arguments import existing
from loadtest.client.wire import Tally, hammer, multipart_request
from loadtest.machine.interrupt import STOPPED

Disturbance = Callable[[httpx.AsyncClient, argparse.Namespace], Awaitable[None]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=sorted(DISTURBANCES))
    parser.add_argument("clip", type=existing)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--key", required=True, help="an admin key")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--pause-s", type=float, default=1.0)
    arguments = parser.parse_args()
    arguments.url = arguments.url.rstrip("/")
    try:
        return asyncio.run(disturb(arguments))
    except (httpx.HTTPError, OSError) as error:
        print(f"disturb: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return STOPPED


async def disturb(arguments: argparse.Namespace) -> int:
    headers = {"Authorization": f"Bearer {arguments.key}"}
    async with httpx.AsyncClient(
        base_url=arguments.url, headers=headers, timeout=60, trust_env=False
    ) as client:
        versions = await _digests(client)
        tally, busy = Tally(), True
        url = f"{arguments.url}/predict"
        request = multipart_request(url, arguments.clip.read_bytes())
        load = asyncio.create_task(hammer(url, request, arguments.clients, lambda: busy, tally))
        await asyncio.sleep(2)
        for number in range(arguments.times):
            started = time.perf_counter()
            await DISTURBANCES[arguments.what](client, arguments)
            took = time.perf_counter() - started
            print(f"  {arguments.what} {number + 1} of {arguments.times}: {took:.2f} s", flush=True)
            await asyncio.sleep(arguments.pause_s)
        busy = False
        await load
        versions |= await _digests(client)  # somebody may have trained one meanwhile
    return report(tally, versions)


def report(tally: Tally, versions: dict[str, str]) -> int:
    """The figures on the terminal; the exit code is theirs."""
    ends = sorted(reply.ended for reply in tally.replies if reply.status == 200)
    gaps = [after - before for before, after in zip(ends, ends[1:], strict=False)]
    waits = sorted(reply.ended - reply.started for reply in tally.replies)
    models = [json.loads(r.body)["model"] for r in tally.replies if r.status == 200]
    wrong = sum(versions.get(model["version"]) != model["digest"] for model in models)
    print(f"requests answered        {len(ends)}")
    print(f"failed                   {tally.failed()} {_causes(tally)}")
    print(f"longest gap              {max(gaps, default=0) * 1e3:.0f} ms")
    print(f"latency p50 / p99 / max  {_at(waits, 0.5)} / {_at(waits, 0.99)} / {_at(waits, 1)} ms")
    print(f"versions seen            {sorted({model['version'] for model in models})}")
    print(f"version and digest disagree  {wrong}")
    return 1 if tally.failed() or wrong else 0


async def swap(client: httpx.AsyncClient, arguments: argparse.Namespace) -> None:
    (await client.post("/models/rollback")).raise_for_status()


async def kill_replica(client: httpx.AsyncClient, arguments: argparse.Namespace) -> None:
    before = await _replicas(client)
    if len(before) < 2:
        raise SystemExit("with one replica everybody waits for the next; run at least two")
    victim = before[0]["pid"]
    os.kill(victim, signal.SIGKILL)
    while True:
        await asyncio.sleep(0.2)
        now = {row["pid"] for row in await _replicas(client)}
        if len(now) >= len(before) and victim not in now:
            return


async def kill_curator(client: httpx.AsyncClient, arguments: argparse.Namespace) -> None:
    before = await _asked(client, "/status")
    os.kill(before["curator_pid"], signal.SIGKILL)
    while True:
        await asyncio.sleep(0.5)
        now = await _asked(client, "/status")
        if now.get("curator_pid") not in {None, before["curator_pid"]}:
            return


DISTURBANCES: dict[str, Disturbance] = {
    "swap": swap,
    "kill-replica": kill_replica,
    "kill-curator": kill_curator,
}


async def _digests(client: httpx.AsyncClient) -> dict[str, str]:
    found = (await client.get("/models")).raise_for_status().json()["versions"]
    return {row["version"]: row["digest"] for row in found}


async def _replicas(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    domain = (await _asked(client, "/model-info"))["domain"]
    rows: list[dict[str, Any]] = (await _asked(client, "/status"))["domains"][domain]["replicas"]
    return rows


async def _asked(client: httpx.AsyncClient, path: str) -> dict[str, Any]:
    """Our own question may have been with the replica that was killed: it is asked again."""
    while True:
        try:
            found: dict[str, Any] = (await client.get(path)).raise_for_status().json()
            return found
        except httpx.HTTPError:
            await asyncio.sleep(0.1)


def _causes(tally: Tally) -> str:
    causes = {cause for _, cause in tally.broken} | {str(r.status) for r in tally.refused}
    return f"({', '.join(sorted(causes))})" if causes else ""


def _at(waits: list[float], share: float) -> str:
    return f"{waits[min(len(waits) - 1, int(share * len(waits)))] * 1e3:.0f}" if waits else "-"


if __name__ == "__main__":
    sys.exit(main())
