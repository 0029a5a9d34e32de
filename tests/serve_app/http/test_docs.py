"""docs.py: the API page runs its one pinned script and no other."""

import base64
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from support.replica import Replica, answering


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with answering(Replica("keywords", tmp_path)) as found:
        yield found


def policy(headers: object) -> dict[str, list[str]]:
    parts = [part.split() for part in str(headers).split(";")]
    return {name: sources for name, *sources in parts}


@pytest.mark.parametrize("path", ["/docs", "/keywords/docs"])
def test_the_policy_allows_the_scripts_of_the_page_and_no_others(
    client: TestClient, path: str
) -> None:
    found = client.get(path)
    allowed = policy(found.headers["content-security-policy"])
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", found.text, re.DOTALL)
    assert len(scripts) == 2
    for attributes, text in scripts:
        if text:
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in allowed["script-src"]
        else:
            (source,) = re.findall(r'src="([^"]*)"', attributes)
            assert source in allowed["script-src"]
            assert re.search(r"@\d+\.\d+\.\d+/", source)
            assert 'integrity="sha384-' in attributes
    assert len(allowed["script-src"]) == 2
    assert allowed["default-src"] == ["'none'"]
    assert allowed["connect-src"] == ["'self'"]
    assert allowed["frame-ancestors"] == ["'none'"]
    (style,) = re.findall(r'<link rel="stylesheet" ([^>]*)>', found.text)
    assert 'integrity="sha384-' in style
    assert allowed["style-src"][0] in style


def test_the_page_finds_the_schema_of_its_own_domain(client: TestClient) -> None:
    for path in ("/docs", "/keywords/docs"):
        assert '"openapi.json"' in client.get(path).text
        assert client.get(path.replace("docs", "openapi.json")).json()["paths"]


@pytest.mark.parametrize("path", ["/redoc", "/docs/oauth2-redirect"])
def test_no_other_page_runs_scripts_from_elsewhere(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404
