"""Writes what was measured: JSON (every sample), CSV (medians), Markdown and a plot."""

import csv
import dataclasses
import math
import os
import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from loadtest.bench.measure import Sample
from loadtest.bench.results import Row, by_case, p50, rate
from loadtest.bench.table import Page
from loadtest.tables import write_json


def conditions(trouble: str, clip_bytes: int, rounds: int, seconds: int) -> dict[str, object]:
    """Under which the figures were measured; `trouble` is empty, or what disturbed them."""
    return {
        "when": time.strftime("%Y-%m-%d %H:%M %Z"),
        "disturbed": trouble,
        "machine": f"{_cpu_model()}, {os.cpu_count()} cores, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}",
        "client": "asyncio",
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
    files = {name: out / f"bench.{name}" for name in ("json", "csv", "md", "png")}
    numbers = [_numbers(dataclasses.asdict(sample)) for sample in samples]
    write_json(files["json"], {"about": about, "start_up_s": start_up_s, "samples": numbers})
    text = Page(samples, titles, start_up_s, about).text()
    files["md"].write_text(text, encoding="utf-8")
    rows = by_case(samples)
    with files["csv"].open("w", newline="", encoding="utf-8") as file:
        lines = [_line(row, start_up_s) for row in rows]
        table = csv.DictWriter(file, lines[0])
        table.writeheader()
        table.writerows(lines)
    plot(files["png"], rows, titles)
    return text, list(files.values())


def _numbers(value: object) -> object:
    """What JSON can say: it has no word for not a number."""
    if isinstance(value, dict):
        return {key: _numbers(one) for key, one in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _line(row: Row, start_up_s: Mapping[str, float]) -> dict[str, object]:
    ready_s = start_up_s.get(row.server)
    return {
        "server": row.server,
        **vars(row.case),
        "rounds": len(row.samples),
        **{name: round(value, 3) for name, value in row.figures().items()},
        "ready_after_s": "" if ready_s is None else round(ready_s, 2),
    }


def plot(path: Path, rows: Sequence[Row], titles: Mapping[str, str]) -> None:
    """Requests a second and median latency by connections, a line for each server."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogFormatter

    first = rows[0].case
    shown = [row for row in rows if row.median(rate) > 0]  # who answered nothing has no place in it
    mine = [row for row in shown if (row.case.clip, row.case.body) == (first.clip, first.body)]
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    rates, waits = figure.subplots(1, 2)
    for server in dict.fromkeys(row.server for row in mine):
        line = [row for row in mine if row.server == server]
        at = [row.case.connections for row in line]
        width = 3 if server == "telltale" else 1.2
        rates.plot(at, [r.median(rate) for r in line], marker="o", lw=width, label=titles[server])
        # An empty line keeps the colours of both plots together.
        served = ([], []) if server == "loop" else (at, [r.median(p50) for r in line])
        waits.plot(*served, marker="o", lw=width)
    for axis, words in ((rates, "requests a second"), (waits, "median latency, ms")):
        axis.set(xscale="log", yscale="log", xlabel="connections", ylabel=words)
        at = sorted({row.case.connections for row in mine})
        axis.set_xticks(at, map(str, at), minor=False)
        axis.yaxis.set_major_formatter(LogFormatter())
        axis.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(2, 0.5)))
        axis.grid(visible=True, which="both", alpha=0.25)
    figure.legend(*rates.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.savefig(path, dpi=130)
