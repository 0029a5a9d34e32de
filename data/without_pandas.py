"""Libraries imported without pandas, which they would import for data frames that we never use."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_pandas() -> Iterator[None]:
    """Where pandas is installed it takes half a second of CPU to import, and 66 MB for good (with
    pyarrow). What is imported in the block finds none, unless it is imported already; whoever
    wants it afterwards gets it. Other threads find none meanwhile, either."""
    if "pandas" in sys.modules:
        yield
        return
    sys.modules["pandas"] = None  # type: ignore[assignment]  # so importing it fails
    try:
        yield
    finally:
        del sys.modules["pandas"]
