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
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from loadtest.bench.clips import MAIN
from loadtest.bench.measure import Case, Sample
from loadtest.report import NOTHING, Panel, Table, number

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
COLUMNS = ("rate", "p50_ms", "p95_ms", "p99_ms", "client_cpu_ms", "elsewhere")


@dataclass(frozen=True)
class Row:
    """One server at one case, in all rounds: medians, but for the errors, which are summed."""

    server: str
    case: Case
    samples: Sequence[Sample]

    def median(self, column: str) -> float:
        found: list[float] = [getattr(sample, column) for sample in self.samples]
        return median(found)

    @property
    def errors(self) -> dict[str, int]:
        gone = [{"processes gone": one.replaced} if one.replaced else {} for one in self.samples]
        found = [*(one.errors for one in self.samples), *gone]
        return dict(sum(map(Counter, found), Counter[str]()))

    def by_role(self, column: str) -> dict[str, float]:
        found: list[dict[str, float]] = [getattr(sample, column) for sample in self.samples]
        roles = dict.fromkeys(role for one in found for role in one)
        return {role: median(one.get(role, 0.0) for one in found) for role in roles}

    def figures(self) -> dict[str, float]:
        rates = [sample.rate for sample in self.samples]
        return {column: self.median(column) for column in COLUMNS} | {
            "lowest": min(rates),
            "highest": max(rates),
            "errors": sum(self.errors.values()),
            "cpu_ms": sum(self.by_role("cpu_ms").values()),
            "pss_mib": sum(self.by_role("memory_mib").values()),
        }


def by_case(samples: Sequence[Sample]) -> list[Row]:
    """In the order of the first round."""
    groups: dict[tuple[str, Case], list[Sample]] = {}
    for sample in samples:
        groups.setdefault((sample.server, sample.case), []).append(sample)
    return [Row(*key, group) for key, group in groups.items()]


def ratio(
    samples: Sequence[Sample], server: str, to: str, case: Case, column: str = "rate"
) -> float | None:
    """The median over the rounds of server / to; None where one of them was not measured."""
    found = {(one.server, one.round): getattr(one, column) for one in samples if one.case == case}
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
        f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, Python "
        f"{platform.python_version()}. Client: asyncio, one clip of {clip_bytes:,} bytes over and "
        f"over. Medians of {rounds} rounds of {seconds} s, servers in turns; ratios are medians of "
        "those in a round."
    )


def tables(
    samples: Sequence[Sample], titles: Mapping[str, str], start_up_s: Mapping[str, float]
) -> list[Table]:
    found = by_case(samples)
    cases = list(dict.fromkeys(row.case for row in found))
    main = [case for case in cases if case.clip == MAIN and case.body == "form"]
    others = [case for case in cases if case not in main]
    made = []
    for case in main:
        cells = [_main(row, samples, titles, start_up_s) for row in found if row.case == case]
        title = f"{case.connections} connection{'s' * (case.connections > 1)}"
        made.append(Table(title, [*cells[0]], [[*row.values()] for row in cells]))
    if any(row.server == US for row in found):
        made.append(_targets(main, samples, titles))
    return [*made, _cpu(found, main, titles), _clips(found, others, samples, titles)]


def _main(
    row: Row, samples: Sequence[Sample], titles: Mapping[str, str], start_up_s: Mapping[str, float]
) -> dict[str, str]:
    found = row.figures()
    return {
        "server": titles[row.server],
        "req/s": f"{found['rate']:.1f}",
        "lowest - highest": f"{found['lowest']:.1f} - {found['highest']:.1f}",
        **{f"{q} ms": f"{found[f'{q}_ms']:.1f}" for q in ("p50", "p95", "p99")},
        "errors": ", ".join(f"{count} {kind}" for kind, count in row.errors.items()) or "0",
        "CPU ms/req": number(found["cpu_ms"] or None, 2),
        "client ms/req": f"{found['client_cpu_ms']:.2f}",
        "PSS MiB": number(found["pss_mib"] or None),
        "ready after s": number(start_up_s.get(row.server), 1),
        "of the loop": _times(ratio(samples, row.server, "loop", row.case)),
        "Telltale is": _times(ratio(samples, US, row.server, row.case)),
    }


def _targets(cases: Sequence[Case], samples: Sequence[Sample], titles: Mapping[str, str]) -> Table:
    rows = []
    for case in cases:
        found = ratio(samples, US, "raw", case, "p50_ms")
        if case.connections == 1 and found is not None:
            target, goal = P50_TARGET
            what = f"p50 over {titles['raw']}, 1 connection"
            reached = "yes" if found <= target else "NO"
            rows.append([what, f"<= {target} (goal {goal})", f"{found:.2f}", reached])
        for peer, (target, goal) in TARGETS.items():
            found = ratio(samples, US, peer, case)
            if case.connections == 32 and found is not None:
                what = f"req/s over {titles[peer]}, 32 connections"
                reached = "yes" if found >= target else "NO"
                rows.append([what, f">= {target} (goal {goal})", f"{found:.2f}", reached])
    return Table("Targets", ["Telltale's", "target", "measured", "reached"], rows)


def _cpu(found: Sequence[Row], cases: Sequence[Case], titles: Mapping[str, str]) -> Table:
    """A line for each role of each server that has roles, else one for all its processes."""
    rows = []
    for server in dict.fromkeys(row.server for row in found):
        mine = {row.case: row.by_role("cpu_ms") for row in found if row.server == server}
        memory = next(row for row in found if row.server == server).by_role("memory_mib")
        for role in dict.fromkeys(role for cpu_ms in mine.values() for role in cpu_ms):
            spent = [mine[case].get(role, 0.0) if case in mine else None for case in cases]
            cells = [*(number(ms, 2) for ms in spent), number(memory.get(role))]
            rows.append([titles[server], "all" if role == "other" else role, *cells])
    head = ["server", "process", *(f"c={case.connections}" for case in cases), "PSS MiB"]
    return Table("CPU of one request by process, ms", head, rows)


def _clips(
    found: Sequence[Row],
    cases: Sequence[Case],
    samples: Sequence[Sample],
    titles: Mapping[str, str],
) -> Table:
    servers = list(dict.fromkeys(row.server for row in found if row.case in cases))
    rates = {(row.server, row.case): row.median("rate") for row in found}
    peers = [server for server in ("raw", "fastapi2") if server in servers and US in servers]
    rows = [
        [case.clip, case.body, *(number(rates.get((one, case)), 1) for one in servers)]
        + [_times(ratio(samples, US, peer, case)) for peer in peers]
        for case in cases
    ]
    head = ["clip", "body", *(titles[server] for server in servers)]
    head += [f"Telltale / {peer}" for peer in peers]
    return Table("Other clips and bodies, req/s", head, rows)


def _times(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2f} x"


def figures(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    return [
        {"server": row.server, **vars(row.case), "rounds": len(row.samples), **row.figures()}
        for row in by_case(samples)
    ]


def panels(samples: Sequence[Sample], titles: Mapping[str, str]) -> list[Panel]:
    """Requests a second and median latency by connections, a line for each server."""
    rows = by_case(samples)
    of_main = (rows[0].case.clip, rows[0].case.body)

    def panel(column: str, words: str) -> Panel:
        lines: dict[str, tuple[list[float], list[float]]] = {}
        for row in rows:
            # Who answered nothing has no place in it, nor has what nobody waited for.
            shown = row.median("rate") > 0 and (column, row.server) != ("p50_ms", "loop")
            if (row.case.clip, row.case.body) == of_main and shown:
                at, values = lines.setdefault(titles[row.server], ([], []))
                at.append(row.case.connections)
                values.append(row.median(column))
        return Panel("", lines, x="connections", y=words, log="xy")

    return [panel("rate", "requests a second"), panel("p50_ms", "median latency, ms")]
