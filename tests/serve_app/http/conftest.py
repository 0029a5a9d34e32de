"""What tests of routes share."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.replica import Replica


@pytest.fixture(scope="module")
def replica() -> Iterator[Replica]:
    with tempfile.TemporaryDirectory() as home:
        replica = Replica("keywords", Path(home))
        yield replica
        replica.store.close()
