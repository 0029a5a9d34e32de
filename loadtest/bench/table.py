"""The figures as Markdown: a table for each number of connections, then where the time goes."""

from collections.abc import Mapping, Sequence

from loadtest.bench.clips import MAIN
from loadtest.bench.measure import Case, Sample
from loadtest.bench.results import Row, p50, ratio, rows

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


def page(
    samples: Sequence[Sample],
    titles: Mapping[str, str],
    start_up_s: Mapping[str, float],
    about: Mapping[str, object],
) -> str:
    found = rows(samples)
    cases = list(dict.fromkeys(row.case for row in found))
    main = [case for case in cases if case.clip == MAIN and case.body == "form"]
    parts = ["# Telltale beside its peers", _conditions(about)]
    for case in main:
        mine = [row for row in found if row.case == case]
        parts += [f"## {_plural(case.connections)}", _main_table(mine, samples, titles, start_up_s)]
    parts += ["## Targets", _targets(samples, main, titles)] if _has(found, US) else []
    parts += ["## CPU of one request by process, ms", _cpu_table(found, main, titles)]
    others = [case for case in cases if case not in main]
    if others:
        parts += ["## Other clips and bodies, req/s", _clip_table(found, others, samples, titles)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _conditions(about: Mapping[str, object]) -> str:
    disturbed = f"**Disturbed: {about['disturbed']}.** " if about["disturbed"] else ""
    return (
        f"{disturbed}{about['when']}; {about['machine']}. Client: {about['client']}, one clip of "
        f"{about['clip_bytes']:,} bytes over and over. Medians of {about['rounds']} rounds of "
        f"{about['seconds']} s, servers in turns; ratios are medians of those within a round."
    )


def _plural(connections: int) -> str:
    return "1 connection" if connections == 1 else f"{connections} connections"


def _has(found: Sequence[Row], server: str) -> bool:
    return any(row.server == server for row in found)


def _main_table(
    mine: Sequence[Row],
    samples: Sequence[Sample],
    titles: Mapping[str, str],
    start_up_s: Mapping[str, float],
) -> str:
    head = ["server", "req/s", "lowest - highest", "p50 ms", "p95 ms", "p99 ms", "errors"]
    head += [
        "CPU ms/req",
        "client ms/req",
        "PSS MiB",
        "ready after s",
        "of the loop",
        "Telltale is",
    ]
    return _markdown(head, [_main_row(row, samples, titles, start_up_s) for row in mine])


def _main_row(
    row: Row,
    samples: Sequence[Sample],
    titles: Mapping[str, str],
    start_up_s: Mapping[str, float],
) -> list[str]:
    latency = [f"{ms:.1f}" for ms in (row.p50_ms, row.p95_ms, row.p99_ms)]
    return [
        titles[row.server],
        f"{row.rate:.1f}",
        f"{row.lowest:.1f} - {row.highest:.1f}",
        *latency,
        _errors(row),
        f"{sum(row.cpu_ms.values()):.2f}" if row.cpu_ms else "-",
        f"{row.client_cpu_ms:.2f}",
        f"{sum(row.memory_mib.values()):.0f}" if row.memory_mib else "-",
        f"{start_up_s[row.server]:.1f}" if row.server in start_up_s else "-",
        _times(ratio(samples, row.server, "loop", row.case)),
        _times(ratio(samples, US, row.server, row.case)),
    ]


def _errors(row: Row) -> str:
    words = [f"{count} {kind}" for kind, count in row.errors.items()]
    words += [f"{row.replaced} processes gone"] if row.replaced else []
    return ", ".join(words) or "0"


def _times(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} x"


def _targets(samples: Sequence[Sample], cases: Sequence[Case], titles: Mapping[str, str]) -> str:
    lines = []
    for case in cases:
        if case.connections == 1 and (found := ratio(samples, US, "raw", case, p50)) is not None:
            target, goal = P50_TARGET
            lines.append(
                [f"p50 over {titles['raw']}, 1 connection", f"<= {target} (goal {goal})"]
                + [f"{found:.2f}", "yes" if found <= target else "NO"]
            )
        for peer, (target, goal) in TARGETS.items():
            if case.connections == 32 and (found := ratio(samples, US, peer, case)) is not None:
                lines.append(
                    [f"req/s over {titles[peer]}, 32 connections", f">= {target} (goal {goal})"]
                    + [f"{found:.2f}", "yes" if found >= target else "NO"]
                )
    return _markdown(["Telltale's", "target", "measured", "reached"], lines)


def _cpu_table(found: Sequence[Row], cases: Sequence[Case], titles: Mapping[str, str]) -> str:
    """A line for each role of each server that has roles, else one for all its processes."""
    lines = []
    for server in dict.fromkeys(row.server for row in found):
        by_case = {row.case: row for row in found if row.server == server}
        roles = dict.fromkeys(role for row in by_case.values() for role in row.cpu_ms)
        for role in roles:
            cells = [
                f"{by_case[case].cpu_ms.get(role, 0):.2f}" if case in by_case else "-"
                for case in cases
            ]
            memory = next(iter(by_case.values())).memory_mib.get(role)
            cells.append("-" if memory is None else f"{memory:.0f}")
            lines.append([titles[server], "all" if role == "other" else role, *cells])
    head = ["server", "process", *(f"c={case.connections}" for case in cases), "PSS MiB"]
    return _markdown(head, lines)


def _clip_table(
    found: Sequence[Row],
    cases: Sequence[Case],
    samples: Sequence[Sample],
    titles: Mapping[str, str],
) -> str:
    servers = list(dict.fromkeys(row.server for row in found if row.case in cases))
    cells = {(row.server, row.case): f"{row.rate:.1f}" for row in found}
    peers = [server for server in ("raw", "fastapi2") if server in servers and US in servers]
    lines = [
        [case.clip, case.body, *(cells.get((server, case), "-") for server in servers)]
        + [_times(ratio(samples, US, peer, case)) for peer in peers]
        for case in cases
    ]
    head = ["clip", "body", *(titles[server] for server in servers)]
    return _markdown([*head, *(f"Telltale / {peer}" for peer in peers)], lines)


def _markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    table = [head, ["-"] * len(head), *lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in table)
