"""Writes what was measured: JSON (every sample), CSV (medians), Markdown and a plot."""

import csv
import dataclasses
import json
import math
import os
import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from loadtest.bench.driver import client_name
from loadtest.bench.measure import Sample
from loadtest.bench.results import Row, rows
from loadtest.bench.table import page

HEAD = (
    "server", "clip", "body", "connections", "rounds", "req_per_s", "lowest", "highest",
    "p50_ms", "p95_ms", "p99_ms", "errors", "cpu_ms_per_req", "client_cpu_ms_per_req",
    "pss_mib", "ready_after_s", "elsewhere_cores",
)  # fmt: skip


def conditions(trouble: str, clip_bytes: int, rounds: int, seconds: int) -> dict[str, object]:
    """Under which the figures were measured; `trouble` is empty, or what disturbed them."""
    return {
        "when": time.strftime("%Y-%m-%d %H:%M %Z"),
        "disturbed": trouble,
        "machine": f"{_cpu_model()}, {os.cpu_count()} cores, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}",
        "client": client_name(),
        "clip_bytes": clip_bytes,
        "rounds": rounds,
        "seconds": seconds,
    }


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def publish(
    out: Path,
    samples: Sequence[Sample],
    titles: Mapping[str, str],
    start_up_s: Mapping[str, float],
    about: Mapping[str, object],
) -> tuple[str, list[Path]]:
    """The page, and the files that were written."""
    out.mkdir(parents=True, exist_ok=True)
    document = {
        "about": about,
        "start_up_s": start_up_s,
        "samples": [_numbers(dataclasses.asdict(sample)) for sample in samples],
    }
    files = {name: out / f"bench.{name}" for name in ("json", "csv", "md", "png")}
    files["json"].write_text(json.dumps(document, indent=1), encoding="utf-8")
    text = page(samples, titles, start_up_s, about)
    files["md"].write_text(text, encoding="utf-8")
    found = rows(samples)
    with files["csv"].open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(HEAD)
        table.writerows(_line(row, start_up_s) for row in found)
    plot(files["png"], found, titles)
    return text, list(files.values())


def _numbers(value: object) -> object:
    """What JSON can say: it has no word for not a number."""
    if isinstance(value, dict):
        return {key: _numbers(one) for key, one in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _line(row: Row, start_up_s: Mapping[str, float]) -> list[object]:
    figures = [row.rate, row.lowest, row.highest, row.p50_ms, row.p95_ms, row.p99_ms]
    costs = [sum(row.cpu_ms.values()), row.client_cpu_ms, sum(row.memory_mib.values())]
    return [
        row.server,
        row.case.clip,
        row.case.body,
        row.case.connections,
        row.rounds,
        *(round(figure, 3) for figure in figures),
        sum(row.errors.values()),
        *(round(cost, 3) for cost in costs),
        round(start_up_s[row.server], 2) if row.server in start_up_s else "",
        round(row.elsewhere, 3),
    ]


def plot(path: Path, found: Sequence[Row], titles: Mapping[str, str]) -> None:
    """Requests a second and median latency by connections, a line for each server."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogFormatter

    first = found[0].case
    shown = [row for row in found if row.rate > 0]  # who answered nothing has no place in it
    mine = [row for row in shown if (row.case.clip, row.case.body) == (first.clip, first.body)]
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    rates, waits = figure.subplots(1, 2)
    for server in dict.fromkeys(row.server for row in mine):
        line = [row for row in mine if row.server == server]
        at = [row.case.connections for row in line]
        width = 3 if server == "telltale" else 1.2
        rates.plot(at, [r.rate for r in line], marker="o", lw=width, label=titles[server])
        if server != "loop":
            waits.plot(at, [r.p50_ms for r in line], marker="o", lw=width)
        else:
            waits.plot([], [])  # keeps the colours of both plots together
    for axis, words in ((rates, "requests a second"), (waits, "median latency, ms")):
        axis.set(xscale="log", yscale="log", xlabel="connections", ylabel=words)
        at = sorted({row.case.connections for row in mine})
        axis.set_xticks(at, map(str, at), minor=False)
        axis.yaxis.set_major_formatter(LogFormatter())
        axis.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(2, 0.5)))
        axis.grid(visible=True, which="both", alpha=0.25)
    figure.legend(*rates.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.savefig(path, dpi=130)
