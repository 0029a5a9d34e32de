"""docs.py: the API pages run their own scripts and no other, on a machine without internet."""

import base64
import hashlib
import re
from collections.abc import Iterator
from urllib.parse import urljoin

import pytest
from starlette.testclient import TestClient

from support.replica import Replica, answering

PAGES = ["/docs", "/keywords/docs", "/redoc", "/keywords/redoc"]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with answering(Replica("keywords", tmp_path_factory.mktemp("home"))) as found:
        yield found


def policy(headers: object) -> dict[str, list[str]]:
    parts = [part.split() for part in str(headers).split(";")]
    return {name: sources for name, *sources in parts}


@pytest.mark.parametrize("path", PAGES)
def test_the_policy_allows_the_scripts_of_the_page_and_no_others(
    client: TestClient, path: str
) -> None:
    found = client.get(path)
    allowed = policy(found.headers["content-security-policy"])
    (start,) = re.findall(r"<script>(.*?)</script>", found.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(start.encode()).digest()).decode()
    assert allowed["script-src"] == ["'self'", f"'sha256-{digest}'"]
    assert allowed["default-src"] == ["'none'"]
    assert allowed["connect-src"] == ["'self'"]
    assert allowed["frame-ancestors"] == ["'none'"]
    assert "http" not in found.headers["content-security-policy"]


@pytest.mark.parametrize("path", PAGES)
def test_what_a_page_loads_is_here(client: TestClient, path: str) -> None:
    page = client.get(path).text
    loaded = re.findall(r'(?:src|href)="([^"]*)"', page)
    scripts = [name for name in loaded if name.endswith(".js")]
    assert len(scripts) == 1
    for name in loaded:
        if name != "data:,":
            assert not name.startswith(("http:", "https:", "/"))
            file = client.get(urljoin(path, name))
            assert (file.status_code, len(file.content) > 100_000) == (200, True)
    kind = client.get(urljoin(path, scripts[0])).headers["content-type"]
    assert "javascript" in kind  # text/ or application/, as the system has it


@pytest.mark.parametrize("path", PAGES)
def test_the_page_finds_the_schema_of_its_own_domain(client: TestClient, path: str) -> None:
    assert '"openapi.json"' in client.get(path).text
    assert client.get(urljoin(path, "openapi.json")).json()["paths"]


@pytest.mark.parametrize(
    "path", ["/docs/oauth2-redirect", "/docs/files/", "/docs/files/../docs.py"]
)
def test_nothing_else_lies_there(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404
