"""How far a long command has come, on stderr: seen from the first second on, and erased at the end
on a terminal; a line every ten seconds in a log."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

Advance = Callable[[int], object]


@contextmanager
def progress(
    what: str, total: int | None, unit: str = " clips", done: int = 0
) -> Iterator[Advance]:
    """Yields the function to call with how many more are done."""
    watched = sys.stderr.isatty()
    with tqdm(
        desc=what,
        total=total,
        initial=done,
        unit=unit,
        unit_scale=unit == "B",
        delay=1,
        mininterval=0.2 if watched else 10,
        leave=not watched,
        file=sys.stderr,
    ) as bar:
        yield bar.update
