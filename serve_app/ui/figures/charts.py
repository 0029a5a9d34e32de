"""Charts as HTML and SVG: lines over time or epochs, bars, and a table that is shaded.

Each value is told where the pointer stands, by the browser's own titles. Text stands beside the
stretched drawing, never in it, so that it keeps its size on a phone.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from serve_app.ui.markup import clock, sideways, text
from serve_app.ui.words.translate import number, t

WIDTH = 640
Line = Sequence[float | None]


def learning_curve(
    title: str, lines: Mapping[str, Sequence[float]], epochs: int, top: float = 1e-6
) -> str:
    """Lines by name over `epochs` epochs; the axis goes from 0 to `top`, further if need be."""
    names = [t("epoch {number}", number=n + 1) for n in range(epochs)]
    return _line_chart(
        title, lines, [f"<title>{text(name)}: " for name in names],
        (text(names[0]), str(epochs)), top,
    )  # fmt: skip


def time_chart(
    title: str,
    lines: Mapping[str, Line],
    moments: Sequence[datetime],
    *,
    top: float,
    marks: Sequence[int],
    form: str,
) -> str:
    """Lines over moments, which static/page.js tells by the reader's own clock. At `marks` an
    upright line stands."""
    names = [f'<title data-at="{moment.isoformat()}">' for moment in moments]
    ends = clock(moments[0]), clock(moments[-1])
    return _line_chart(title, lines, names, ends, top, marks, form)


def _line_chart(
    title: str,
    lines: Mapping[str, Line],
    names: Sequence[str],
    ends: tuple[str, str],
    top: float,
    marks: Sequence[int] = (),
    form: str = ".3f",
) -> str:
    """`names` begin the titles of the places from left to right, where a line may have no value;
    `ends` are below the first and the last. Both are HTML."""
    values = [value for line in lines.values() for value in line if value is not None]
    low, high = min([0.0, *values]), max([*values, top])
    step = WIDTH / max(1, len(names) - 1)
    upright = "".join(
        f'<line class="tt-mark" x1="{n * step:.1f}" x2="{n * step:.1f}" y1="0" y2="100"/>'
        for n in marks
    )
    drawn = "".join(
        f'<polyline class="tt-line{n}{_alone(points)}" points="{" ".join(points)}"/>'
        for n, line in enumerate(lines.values())
        for points in _stretches(line, low, high, step)
    )
    keys = "".join(
        f'<span><i class="tt-line{n}"></i>{text(name)} <b>{_last(line, form)}</b></span>'
        for n, (name, line) in enumerate(lines.items())
    )
    told = "".join(_told(n, step, names[n], lines, form) for n in range(len(names)))
    return (
        f'<figure class="tt-curve"><figcaption>{text(title)}{keys}</figcaption>'
        f'<div class="tt-plot"><span class="tt-top-value">{_short(high)}</span>'
        f'<svg viewBox="0 0 {WIDTH} 100" preserveAspectRatio="none" role="img" '
        f'aria-label="{text(title)}">{upright}{drawn}{told}</svg>'
        f'<span class="tt-bottom-value">{_short(low)}</span></div>'
        f'<div class="tt-epochs"><span>{ends[0]}</span><span>{ends[1]}</span></div>'
        "</figure>"
    )


def _short(value: float) -> str:
    return number(value, ",.0f" if abs(value) >= 100 else ".2g")


def _alone(points: Sequence[str]) -> str:
    """A point by itself is a line of no length, which only its thick round ends show."""
    return " tt-alone" if len(set(points)) == 1 else ""


def _stretches(line: Line, low: float, high: float, step: float) -> list[list[str]]:
    """The points of each stretch of it without a gap."""
    found: list[list[str]] = [[]]
    for n, value in enumerate(line):
        if value is None:
            found.append([])
        else:
            found[-1].append(f"{n * step:.1f},{97 - 94 * (value - low) / (high - low):.1f}")
    return [points * 2 if len(points) == 1 else points for points in found if points]


def _last(line: Line, form: str) -> str:
    known = [value for value in line if value is not None]
    return number(known[-1], form) if known else "–"


def _told(n: int, step: float, name: str, lines: Mapping[str, Line], form: str) -> str:
    said = [
        f"{key} {number(value, form)}"
        for key, line in lines.items()
        if n < len(line) and (value := line[n]) is not None
    ]
    return (
        f'<rect x="{(n - 0.5) * step:.1f}" y="0" width="{step:.1f}" height="100">'
        f"{name}{text(', '.join(said) or t('nothing'))}</title></rect>"
    )


def bars(rows: Sequence[tuple[str, float, str]], most: float = 0.0) -> str:
    """A row a label, with its value and the words for it; as long as `most`, or the longest, is."""
    top = max([most, *(value for _, value, _ in rows)]) or 1.0
    return (
        '<ul class="tt-shares">'
        + "".join(
            f'<li title="{text(label)}: {text(words)}"><span>{text(label)}</span>'
            f'<span class="tt-bar tt-lead"><i style="width:{100 * value / top:.1f}%"></i></span>'
            f"<b>{text(words)}</b></li>"
            for label, value, words in rows
        )
        + "</ul>"
    )


def confusion(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """A row a right label, a column an answer, each cell as dark as its share of the row: the
    diagonal is what it is read by."""
    rows = []
    for label, row in zip(labels, counts, strict=True):
        whole = sum(row) or 1
        cells = [
            f'<span class="tt-cell" style="--share:{100 * count / whole:.0f}%" '
            f'title="{_answered_as(count, whole, label, other)}">{count}</span>'
            for other, count in zip(labels, row, strict=True)
        ]
        rows.append([f"<b>{text(label)}</b>", *cells])
    return sideways(t("What is taken for what"), [t("right ↓ answered →"), *labels], rows)


def _answered_as(count: int, whole: int, label: str, other: str) -> str:
    return t(
        "{count} of {whole} {label} answered as {other}",
        count=count,
        whole=whole,
        label=text(label),
        other=text(other),
    )
