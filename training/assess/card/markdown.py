"""Tables, figures and shares as a card has them, in Markdown."""

from collections.abc import Iterable, Sequence

from models.metrics import Interval

Lines = list[str]


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Lines:
    cells = [heads, ["---"] * len(heads), *rows]
    return [*(f"| {' | '.join(row)} |" for row in cells), ""]


def spread(each: Interval) -> tuple[str, str]:
    return number(each.value), f"{each.low:.3f} to {each.high:.3f}"


def number(value: float) -> str:
    return f"{value:.3f}"


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"
