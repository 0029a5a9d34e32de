"""The figures: medians over the rounds, and ratios taken within a round. A table for each number of
connections, then where the time goes; every sample and all medians as JSON.

A ratio of two servers in the same round cancels what the machine did in those minutes; the median
of such ratios is steadier than the ratio of two medians.
"""

import os
import platform
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from loadtest.bench.measure import Case
from loadtest.bench.servers import TITLES
from loadtest.clip import MAIN
from loadtest.report import Panel, Row

US = "telltale"
# At 32 connections, Telltale's rate over the peer's must reach this; the goal is behind it.
TARGETS = {
    "raw": (0.85, 0.95),
    "fastapi2": (1.0, 1.2),
    "litserve": (1.5, 1.8),
    "bentoml": (1.5, 1.5),
    "seed": (15.0, 15.0),
}
P50_TARGET = (1.5, 1.2)  # at one connection, Telltale's p50 over the raw server's, at most
MEDIANS = ("rate", "p50_ms", "p95_ms", "p99_ms", "client_cpu_ms", "elsewhere")

Rows = Sequence[Row]


def rows(samples: Rows) -> list[Row]:
    """One server at one case, in all rounds and in the order of the first: medians, but for the
    errors, which are summed."""
    groups: dict[tuple[str, Case], list[Row]] = {}
    for sample in samples:
        groups.setdefault((sample["server"], sample["case"]), []).append(sample)
    return [
        {
            "server": server,
            "case": case,
            **{name: median(one[name] for one in group) for name in MEDIANS},
            "lowest": min(one["rate"] for one in group),
            "highest": max(one["rate"] for one in group),
            "errors": dict(sum((Counter(one["errors"]) for one in group), Counter())),
            "cpu_ms": _by_role([one["cpu_ms"] for one in group]),
            "memory_mib": _by_role([one["memory_mib"] for one in group]),
        }
        for (server, case), group in groups.items()
    ]


def _by_role(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    roles = dict.fromkeys(role for one in found for role in one)
    return {role: median(one.get(role, 0.0) for one in found) for role in roles}


def ratio(samples: Rows, server: str, to: str, case: Case, column: str = "rate") -> float | None:
    """The median over the rounds of server / to; None where one of them was not measured."""
    found = {(row["server"], row["round"]): row[column] for row in samples if row["case"] == case}
    ratios = [
        mine / theirs
        for (name, round_), mine in found.items()
        if name == server and (theirs := found.get((to, round_)))
    ]
    return median(ratios) if ratios else None


def conditions(disturbed: str, clip_bytes: int, rounds: int, seconds: int) -> str:
    """Under which the figures were measured; `disturbed` is empty, or by what they were."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return (
        f"{f'**Disturbed: {disturbed}.** ' if disturbed else ''}"
        f"{time.strftime('%Y-%m-%d %H:%M %Z')}; {next(named, platform.machine())}, "
        f"{os.cpu_count()} cores, {platform.platform()}, Python {platform.python_version()}. "
        f"Client: asyncio, one clip of {clip_bytes:,} bytes over and over. Medians of {rounds} "
        f"rounds of {seconds} s, servers in turns; ratios are medians of those in a round."
    )


def tables(samples: Rows, start_up_s: Mapping[str, float]) -> dict[str, Rows]:
    found = rows(samples)
    cases = list(dict.fromkeys(row["case"] for row in found))
    main = [case for case in cases if case.clip == MAIN and case.body == "form"]
    made: dict[str, Rows] = {}
    for case in main:
        here = [_main(row, samples, start_up_s) for row in found if row["case"] == case]
        made[f"{case.connections} connection{'s' * (case.connections > 1)}"] = here
    return made | {
        "Targets": _targets(main, samples),
        "CPU of one request by process, ms": _cpu(found, main),
        "Other clips and bodies, req/s": [
            _other(found, case, samples) for case in cases if case not in main
        ],
    }


def _main(row: Row, samples: Rows, start_up_s: Mapping[str, float]) -> Row:
    server, case = row["server"], row["case"]
    return {
        "server": TITLES[server],
        "req/s": row["rate"],
        "lowest - highest": f"{row['lowest']:.1f} - {row['highest']:.1f}",
        **{f"{q} ms": row[f"{q}_ms"] for q in ("p50", "p95", "p99")},
        "errors": ", ".join(f"{count} {kind}" for kind, count in row["errors"].items()) or "0",
        "CPU ms/req": sum(row["cpu_ms"].values()) or None,
        "client ms/req": row["client_cpu_ms"],
        "PSS MiB": sum(row["memory_mib"].values()) or None,
        "ready after s": start_up_s.get(server),
        "x the loop": ratio(samples, server, "loop", case),
        "Telltale is x": ratio(samples, US, server, case),
    }


def _targets(cases: Sequence[Case], samples: Rows) -> list[Row]:
    found: list[Row] = []
    for case in cases:
        p50 = ratio(samples, US, "raw", case, "p50_ms")
        if case.connections == 1 and p50 is not None:
            words, (most, goal) = f"p50 over {TITLES['raw']}, 1 connection", P50_TARGET
            row = {"Telltale's": words, "target": f"<= {most} (goal {goal})", "measured": p50}
            found.append(row | {"reached": p50 <= most})
        for peer, (least, goal) in TARGETS.items():
            rate = ratio(samples, US, peer, case)
            if case.connections == 32 and rate is not None:
                words = f"req/s over {TITLES[peer]}, 32 connections"
                row = {"Telltale's": words, "target": f">= {least} (goal {goal})", "measured": rate}
                found.append(row | {"reached": rate >= least})
    return found


def _cpu(found: Rows, cases: Sequence[Case]) -> list[Row]:
    """A line for each role of each server that has roles, else one for all its processes."""
    lines: dict[tuple[str, str], dict[str, Any]] = {}
    for row in (row for row in found if row["case"] in cases):
        for role, ms in row["cpu_ms"].items():
            line = {"server": TITLES[row["server"]], "process": role.replace("other", "all")}
            line["PSS MiB"] = row["memory_mib"].get(role)
            lines.setdefault((row["server"], role), line)[f"c={row['case'].connections}"] = ms
    return [*lines.values()]


def _other(found: Rows, case: Case, samples: Rows) -> Row:
    rates = {TITLES[row["server"]]: row["rate"] for row in found if row["case"] == case}
    peers = {f"Telltale / {peer}": ratio(samples, US, peer, case) for peer in ("raw", "fastapi2")}
    return {"clip": case.clip, "body": case.body, **rates, **peers}


def panels(samples: Rows) -> list[Panel]:
    """Requests a second and median latency by connections, a line for each server."""

    def panel(column: str, words: str) -> Panel:
        lines: dict[str, tuple[list[float], list[float]]] = {}
        for row in rows(samples):
            # Who answered nothing has no place in it, nor has what nobody waited for.
            shown = row["rate"] > 0 and (column, row["server"]) != ("p50_ms", "loop")
            if (row["case"].clip, row["case"].body) == (MAIN, "form") and shown:
                at, values = lines.setdefault(TITLES[row["server"]], ([], []))
                at.append(row["case"].connections)
                values.append(row[column])
        return Panel("", lines, x="connections", y=words, log="xy")

    return [panel("rate", "requests a second"), panel("p50_ms", "median latency, ms")]
