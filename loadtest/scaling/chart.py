"""Charts over time as inline SVG, drawn here: no library, no request, light and dark by CSS.

Colours are the style sheet's (`.c1` to `.c6`), so that one chart serves both schemes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 960, 190
LEFT, RIGHT, TOP, BOTTOM = 52, 8, 14, 22


@dataclass(frozen=True)
class Line:
    """`values` has one entry a second, None where nothing is known; `colour` is 1 to 6."""

    name: str
    values: Sequence[float | None]
    colour: int


@dataclass(frozen=True)
class Mark:
    at_s: float
    text: str


@dataclass(frozen=True)
class Axes:
    """Seconds and values to places in the picture."""

    last_s: float
    top: float

    def x(self, second: float) -> float:
        return round(LEFT + second / self.last_s * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        return round(TOP + (1 - min(value, self.top) / self.top) * (HEIGHT - TOP - BOTTOM), 1)


def lines_chart(
    title: str, unit: str, times: Sequence[float], lines: Sequence[Line], marks: Sequence[Mark]
) -> str:
    """Each line by itself; a gap where nothing is known."""
    axes = _axes(times, [v for line in lines for v in line.values if v is not None])
    drawn = [
        f'<polyline class="line c{line.colour}" points="{points}"/>'
        for line in lines
        for points in _runs(axes, times, line.values)
    ]
    return _figure(title, unit, times, lines, axes, drawn, marks)


def areas_chart(
    title: str, unit: str, times: Sequence[float], lines: Sequence[Line], marks: Sequence[Mark]
) -> str:
    """One upon the other, in steps: each value holds for its second."""
    sums = [sum(line.values[i] or 0 for line in lines) for i in range(len(times))]
    axes = _axes(times, sums)
    base = [0.0] * len(times)
    drawn = []
    for line in lines:
        upper = [low + (value or 0) for low, value in zip(base, line.values, strict=True)]
        outline = _staircase(axes, times, upper) + _staircase(axes, times, base)[::-1]
        drawn.append(f'<polygon class="area c{line.colour}" points="{" ".join(outline)}"/>')
        base = upper
    return _figure(title, unit, times, lines, axes, drawn, marks)


def _axes(times: Sequence[float], values: Sequence[float]) -> Axes:
    return Axes(max([*times, 1.0]) + 1, _ceiling(1.03 * max([*values, 0.0])))


def _ceiling(value: float) -> float:
    """The next of 1, 2, 2.5, 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power: float = 10.0 ** math.floor(math.log10(value))
    return next(power * step for step in (1, 2, 2.5, 5, 10) if value <= power * step * 1.0001)


def _runs(axes: Axes, times: Sequence[float], values: Sequence[float | None]) -> list[str]:
    runs: list[list[str]] = [[]]
    for second, value in zip(times, values, strict=True):
        if value is None:
            runs.append([])
        else:
            runs[-1].append(f"{axes.x(second + 0.5)},{axes.y(value)}")
    # A single point would not be seen: it becomes a short dash.
    return [" ".join(run if len(run) > 1 else run * 2) for run in runs if run]


def _staircase(axes: Axes, times: Sequence[float], values: Sequence[float]) -> list[str]:
    ends = [*times[1:], axes.last_s]
    return [
        f"{axes.x(at)},{axes.y(value)}"
        for begin, end, value in zip(times, ends, values, strict=True)
        for at in (begin, end)
    ]


def _figure(
    title: str,
    unit: str,
    times: Sequence[float],
    lines: Sequence[Line],
    axes: Axes,
    drawn: Sequence[str],
    marks: Sequence[Mark],
) -> str:
    legend = "".join(
        f'<span><i class="swatch c{line.colour}"></i>{escape(line.name)}</span>' for line in lines
    )
    picture = "".join([_grid(axes), *drawn, _marks(axes, marks), _tips(axes, times, lines)])
    return (
        f"<figure><figcaption><b>{escape(title)}</b> <small>{escape(unit)}</small>"
        f'<span class="legend">{legend}</span></figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)} over time">'
        f"{picture}</svg></figure>"
    )


def _grid(axes: Axes) -> str:
    parts = []
    # 2 is cut in four, 1, 2.5, 5 and 10 in five: round numbers on the axis.
    cuts = 4 if f"{axes.top:e}".startswith("2.0") else 5
    for part in range(cuts + 1):
        value = axes.top * part / cuts
        y = axes.y(value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text class="tick end" x="{LEFT - 6}" y="{y + 4}">{value:g}</text>')
    step = _ceiling(axes.last_s / 12)
    for number in range(int(axes.last_s // step) + 1):
        x = axes.x(number * step)
        parts.append(f'<text class="tick mid" x="{x}" y="{HEIGHT - 6}">{number * step:g} s</text>')
    return "".join(parts)


def _marks(axes: Axes, marks: Sequence[Mark]) -> str:
    """Steps in the load: a dashed line and a word on top of it."""
    return "".join(
        f'<line class="mark" x1="{axes.x(mark.at_s)}" x2="{axes.x(mark.at_s)}" '
        f'y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        f'<text class="tick" x="{axes.x(mark.at_s) + 4}" y="{TOP - 3}">{escape(mark.text)}</text>'
        for mark in marks
    )


def _tips(axes: Axes, times: Sequence[float], lines: Sequence[Line]) -> str:
    """What a second held, shown while the pointer rests on it."""
    ends = [*times[1:], axes.last_s]
    parts = []
    for i, (begin, end) in enumerate(zip(times, ends, strict=True)):
        known = [f"{line.name} {line.values[i]:g}" for line in lines if line.values[i] is not None]
        width = axes.x(end) - axes.x(begin)
        parts.append(
            f'<rect class="tip" x="{axes.x(begin)}" y="{TOP}" width="{width:.1f}" '
            f'height="{HEIGHT - TOP - BOTTOM}"><title>{begin:.0f} s: {escape(", ".join(known))}'
            "</title></rect>"
        )
    return "".join(parts)
