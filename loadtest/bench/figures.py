"""The figures: medians over the rounds, and ratios taken within a round. A table for each number of
connections, then where the time goes; every sample and all medians as JSON.

A ratio of two servers in the same round cancels what the machine did in those minutes; the median
of such ratios is steadier than the ratio of two medians.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from loadtest.bench.measure import MANY, Case
from loadtest.bench.servers import LOOP, TITLES
from loadtest.report import Panel, Row, Rows

US = "telltale"
# Connections, and Telltale's p50 or rate over the peer's there: what must be reached, and the goal.
TARGETS = (
    (1, "p50_ms", "raw", 1.5, 1.2),
    (32, "rate", "raw", 0.85, 0.95),
    (32, "rate", "fastapi2", 1.0, 1.2),
    (32, "rate", "litserve", 1.5, 1.8),
    (32, "rate", "bentoml", 1.5, 1.5),
    (32, "rate", "seed", 15.0, 15.0),
)
MEDIANS = ("rate", "p50_ms", "p95_ms", "p99_ms", "client_cpu_ms", "elsewhere")


def rows(samples: Rows) -> list[Row]:
    """One server at one case, in all rounds and in the order of the first: medians, but for the
    errors, which are summed."""
    from pandas import DataFrame

    groups = DataFrame(samples).groupby(["server", "case"], sort=False)
    found = groups[[*MEDIANS]].median()
    found["lowest"], found["highest"] = groups.rate.min(), groups.rate.max()
    found["errors"] = groups.errors.agg(lambda each: dict(sum(map(Counter, each), Counter())))
    for name in ("cpu_ms", "memory_mib"):  # by role
        found[name] = groups[name].agg(lambda each: DataFrame([*each]).fillna(0).median().to_dict())
    return [*found.reset_index().to_dict("records")]


def ratio(samples: Rows, server: str, to: str, case: Case, column: str = "rate") -> float | None:
    """The median over the rounds of server / to; None where one of them was not measured."""
    found = {(row["server"], row["round"]): row[column] for row in samples if row["case"] == case}
    rounds = {round_ for name, round_ in found if name == server and found.get((to, round_))}
    return median(found[server, each] / found[to, each] for each in rounds) if rounds else None


def conditions(on: str, disturbed: str, clip_bytes: int, rounds: int, seconds: int) -> str:
    """Under which the figures were measured; `on` is the machine, `disturbed` empty or by what."""
    return (
        f"{f'**Disturbed: {disturbed}.** ' if disturbed else ''}{on}. "
        f"Client: asyncio, one clip of {clip_bytes:,} bytes over and over. Medians of {rounds} "
        f"rounds of {seconds} s, servers in turns; ratios are medians of those in a round."
    )


def tables(samples: Rows, start_up_s: Mapping[str, float]) -> dict[str, Rows]:
    found = rows(samples)
    cases = list(dict.fromkeys(row["case"] for row in found))
    made: dict[str, Rows] = {
        case.at: [_main(row, samples, start_up_s) for row in found if row["case"] == case]
        for case in cases
        if case.main
    }
    return made | {
        "Targets": _targets(cases, samples),
        "CPU of one request by process, ms": _cpu(found),
        "Other clips and bodies, req/s": [
            {"clip": case.clip, "body": case.body}
            | {TITLES[row["server"]]: row["rate"] for row in found if row["case"] == case}
            | {f"Telltale / {peer}": ratio(samples, US, peer, case) for peer in MANY if peer != US}
            for case in cases
            if not case.main
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
    for case in (case for case in cases if case.main):
        for connections, column, peer, bound, goal in TARGETS:
            measured = ratio(samples, US, peer, case, column)
            if case.connections == connections and measured is not None:
                what, at_most = ("req/s", False) if column == "rate" else ("p50", True)
                row = {"Telltale's": f"{what} over {TITLES[peer]}, {case.at}"}
                row["target"] = f"{'<=' if at_most else '>='} {bound} (goal {goal})"
                reached = measured <= bound if at_most else measured >= bound
                found.append(row | {"measured": measured, "reached": reached})
    return found


def _cpu(found: Rows) -> list[Row]:
    """A line for each role of each server that has roles, else one for all its processes."""
    lines: dict[tuple[str, str], dict[str, Any]] = {}
    for row in (row for row in found if row["case"].main):
        for role, ms in row["cpu_ms"].items():
            line = {"server": TITLES[row["server"]], "process": role.replace("other", "all")}
            line["PSS MiB"] = row["memory_mib"].get(role)
            lines.setdefault((row["server"], role), line)[f"c={row['case'].connections}"] = ms
    return [*lines.values()]


def panels(samples: Rows) -> list[Panel]:
    """Requests a second and median latency by connections, a line for each server that answered."""
    from pandas import DataFrame

    found = [
        {"connections": row["case"].connections, "title": TITLES[row["server"]], **row}
        for row in rows(samples)
        if row["case"].main and row["rate"] > 0
    ]
    by_title = DataFrame(found).pivot(index="connections", columns="title")
    waits = by_title["p50_ms"].drop(columns=TITLES[LOOP], errors="ignore")  # nobody waits for it
    shown = {"requests a second": by_title["rate"], "median latency, ms": waits}
    return [Panel("", lines, "connections", words, log="xy") for words, lines in shown.items()]
