"""What a command found, as its reader gets it: Markdown (also on the terminal), JSON and a plot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from numpy.typing import NDArray

if TYPE_CHECKING:  # matplotlib takes a second to load, and half of the commands draw nothing
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import Series

JSON = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
Row = Mapping[str, Any]  # by column: words, numbers, and None where nothing was measured
Rows = Sequence[Row]


def shown(value: Any) -> str:
    """A cell: words as they are, and of a number what about three digits can say."""
    if value is None or value != value:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, float):
        digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
        return f"{value:,.{digits}f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def table(rows: Rows) -> str:
    """A column's place is where it is first named."""
    head = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[shown(row.get(name)) for name in head] for row in rows]
    named = [name.replace("_", " ") for name in head]
    widths = [max(map(len, column)) for column in zip(named, *cells, strict=True)]
    lines = [named, ["-" * width for width in widths], *cells]
    return "\n".join(f"| {' | '.join(map(str.ljust, line, widths))} |" for line in lines)


def page(title: str, facts: Mapping[str, Any]) -> str:
    """Markdown: words as they are, a list of them with dashes, rows as a table below their name;
    what is empty is left out."""
    parts = [f"# {title}"]
    for name, fact in facts.items():
        if isinstance(fact, Mapping):
            fact = [{"": key, "value": value} for key, value in fact.items()]
        if isinstance(fact, str) or not fact:
            parts.append(fact or "")
        elif isinstance(fact[0], str):
            parts.append("\n".join(f"- {words}" for words in fact))
        else:
            parts.append(f"## {name}\n\n{table(fact)}")
    return "\n\n".join(filter(None, parts)) + "\n"


def quantiles(values: NDArray[np.float64] | Sequence[float], *shares: float) -> list[float]:
    """By nearest rank, values that somebody really got, to two places; NaN where there are none."""
    found = np.quantile(values if len(values) else [np.nan], shares, method="inverted_cdf")
    return [round(float(value), 2) for value in found]


def percentiles(waits_ms: NDArray[np.float64] | Sequence[float]) -> dict[str, float]:
    found = quantiles(waits_ms, 0.5, 0.95, 0.99)
    return dict(zip(("p50_ms", "p95_ms", "p99_ms"), found, strict=True))


@dataclass(frozen=True)
class Panel:
    title: str
    lines: "Mapping[str, Series]"  # by name; a line breaks at NaN
    x: str = "seconds"
    y: str = ""
    stacked: bool = False  # areas one upon the other
    log: str = ""  # x, y or both
    marks: Sequence[tuple[float, str]] = ()  # upright lines with words

    def draw(self, axes: "Axes") -> None:
        lines = {name: line.astype(float) for name, line in self.lines.items()}
        if self.stacked:
            at, heights = next(iter(lines.values())).index, [y.fillna(0) for y in lines.values()]
            axes.stackplot(at, heights, labels=[*lines], step="post", alpha=0.7)
        else:
            for name, line in lines.items():
                axes.plot(line.index, line, ".-", label=name)
        for place, words in self.marks:
            axes.axvline(place, color="#777777", linestyle="--", linewidth=0.8)
            axes.text(place, 1.0, f" {words}", va="top", transform=axes.get_xaxis_transform())
        axes.set(title=self.title, xlabel=self.x, ylabel=self.y)
        for side in self.log:
            axes.set(**{f"{side}scale": "log"})
            getattr(axes, f"{side}axis").set_major_formatter("{x:g}")
        if "y" not in self.log:
            axes.set_ylim(0, None)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)


def figure(panels: Sequence[Panel], columns: int = 1) -> "Figure":
    from matplotlib.figure import Figure

    rows = -(-len(panels) // columns)
    drawn = Figure(figsize=(11, 4.5 if rows == 1 else 2.8 * rows), layout="constrained")
    for axes, panel in zip(drawn.subplots(rows, columns, squeeze=False).flat, panels, strict=False):
        panel.draw(axes)
    return drawn


def write_json(path: Path, facts: Any) -> None:
    """Dataclasses and arrays too; what is not a number is null."""
    path.write_bytes(orjson.dumps(facts, option=JSON) + b"\n")


def publish(
    out: Path, name: str, title: str, facts: Row, plot: "Figure | None" = None, **more: Any
) -> None:
    """NAME.md, NAME.json, NAME.png in `out`; the text also on the terminal, `more` in the JSON."""
    out.mkdir(parents=True, exist_ok=True)
    text = page(title, facts)
    (out / f"{name}.md").write_text(text, encoding="utf-8")
    write_json(out / f"{name}.json", {"title": title, **facts, **more})
    if plot:
        plot.savefig(out / f"{name}.png", dpi=110)
    print(f"\n{text}\nwritten to {out}/{name}.*")
