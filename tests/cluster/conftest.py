"""What the tests of the session's service share."""

from collections.abc import Iterator

import httpx
import pytest


@pytest.fixture
def restored(admin: httpx.Client) -> Iterator[None]:
    """Puts the champion of `keywords` back behind a test that changes it."""
    before = admin.get("/keywords/model-info").raise_for_status().json()
    yield
    admin.post(f"/keywords/models/{before['version']}/promote").raise_for_status()
