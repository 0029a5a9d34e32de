"""Charts over time as SVG inside the page, by matplotlib.

matplotlib knows no CSS variables: each colour is drawn as a stand-in and replaced by the style
sheet's (`--c1` to `--c6`), so that one chart serves the light and the dark scheme.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

SIZE_PT = (690.0, 140.0)
COLOURS = {f"#0000a{number}": f"var(--c{number})" for number in range(1, 7)}
SOFT, RULE = "#0000b1", "#0000b2"
COLOURS |= {SOFT: "var(--soft)", RULE: "var(--rule)"}
STYLE: Any = {
    "svg.fonttype": "none",
    "font.size": 8,
    "text.color": SOFT,
    "axes.edgecolor": RULE,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": RULE,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
}


@dataclass(frozen=True)
class Line:
    """`values` has one entry a second, None where it was not measured; `colour` is 1 to 6."""

    name: str
    values: Sequence[float | None]
    colour: int

    @property
    def array(self) -> NDArray[np.float64]:
        return np.array(self.values, dtype=float)  # None becomes NaN, where a line breaks


@dataclass(frozen=True)
class Mark:
    at_s: float
    text: str


@dataclass(frozen=True)
class Chart:
    """`stacked`: areas one upon the other, in steps, each value for its second; else lines."""

    title: str
    unit: str
    lines: Sequence[Line]
    stacked: bool

    @property
    def measured(self) -> bool:
        return any(value is not None for line in self.lines for value in line.values)

    def svg(self, times: Sequence[float], marks: Sequence[Mark]) -> str:
        with rc_context(STYLE):
            figure = Figure(figsize=(SIZE_PT[0] / 72, SIZE_PT[1] / 72), dpi=72)
            axes = figure.add_axes((0.055, 0.13, 0.925, 0.75))
            (self._areas if self.stacked else self._lines)(axes, times)
            axes.set(xlim=(0, _end(times)), ylim=(0, None))
            axes.xaxis.set_major_formatter("{x:g} s")
            axes.yaxis.set_major_formatter("{x:g}")
            for mark in marks:
                axes.axvline(mark.at_s, color=SOFT, lw=0.7, ls=(0, (3, 4)))
                axes.annotate(mark.text, (mark.at_s, 1.03), xycoords=axes.get_xaxis_transform())
            for artist in figure.findobj():
                artist.set_clip_on(False)  # each clip is an url(...) in the page
            out = io.StringIO()
            metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
            figure.savefig(out, format="svg", transparent=True, metadata=metadata)
        drawn = out.getvalue()
        drawn = drawn[drawn.index("<svg") : drawn.rindex("</svg>")] + self._tips(axes, times)
        for stand_in, colour in COLOURS.items():
            drawn = drawn.replace(stand_in, colour)
        return f"{drawn}</svg>"

    def _lines(self, axes: Axes, times: Sequence[float]) -> None:
        """A second without neighbours is a dot."""
        for line in self.lines:
            colour, middle = f"#0000a{line.colour}", np.array(times) + 0.5
            axes.plot(middle, line.array, ".-", ms=2.5, lw=1.5, color=colour)

    def _areas(self, axes: Axes, times: Sequence[float]) -> None:
        heights = np.nan_to_num([[*line.array, line.array[-1]] for line in self.lines])
        colours = [f"#0000a{line.colour}" for line in self.lines]
        at = [*times, _end(times)]
        axes.stackplot(at, heights, colors=colours, step="post", alpha=0.72)

    def _tips(self, axes: Axes, times: Sequence[float]) -> str:
        """What a second held, shown while the pointer rests on it."""
        x = axes.transData.transform([(second, 0) for second in [*times, _end(times)]])[:, 0]
        parts = []
        for i, begin in enumerate(times):
            held = [
                f"{line.name} {v:g}" for line in self.lines if (v := line.values[i]) is not None
            ]
            parts.append(
                f'<rect class="tip" x="{x[i]:.1f}" width="{x[i + 1] - x[i]:.1f}" y="0" '
                f'height="{SIZE_PT[1]:g}"><title>{begin:.0f} s: {escape(", ".join(held))}</title>'
                "</rect>"
            )
        return "".join(parts)


def _end(times: Sequence[float]) -> float:
    return max([*times, 1.0]) + 1
