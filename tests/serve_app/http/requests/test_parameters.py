"""parameters.py: what an address asks for, and no route takes, is refused by name."""

import re

import pytest

from support.replica import ADMIN, Replica, answering

# Asked by probes, scrapers and programs of others, which may add what they like.
LENIENT = re.compile(r"/(v2|health|ready|metrics|status|domains|model-info|uploads)\b")


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        ("GET", "/clips?limt=5", "no parameter 'limt'; there are state, label, flagged"),
        ("GET", "/history?windw=1h", "no parameter 'windw'; there are window"),
        ("GET", "/api/keys?limit=5", "no parameter 'limit'; none is taken here"),
        ("GET", "/keywords/insights?label=one", "no parameter 'label'"),
        ("GET", "/jobs/7?fromat=csv", "no parameter 'fromat'; there are format"),
        ("POST", "/feedback?label=one", "no parameter 'label'; none is taken here"),
        ("POST", "/analyze?hop=1", "no parameter 'hop'; there are hop_s"),
        ("POST", "/predict?topk=1", "no parameter 'topk'; there are top_k, evidence, version"),
    ],
)
def test_a_parameter_that_a_route_does_not_know_is_refused_by_name(
    replica: Replica, method: str, path: str, words: str
) -> None:
    with answering(replica) as client:
        client.headers["Authorization"] = f"Bearer {ADMIN}"
        found = client.request(method, path, files={"file": b""} if method == "POST" else None)
    assert found.status_code == 400
    assert words in found.json()["detail"]


def test_none_of_the_routes_that_people_ask_forgets_to(replica: Replica) -> None:
    with answering(replica) as client:
        client.headers["Authorization"] = f"Bearer {ADMIN}"
        paths = client.get("/openapi.json").json()["paths"]
        asked = [path for path in paths if "get" in paths[path] and not LENIENT.match(path)]
        for path in asked:
            found = client.get(re.sub(r"\{\w+\}", "1", path), params={"xyzzy": 1})
            assert (found.status_code, "'xyzzy'" in found.text) == (400, True), path
        assert len(asked) > 15


def test_probes_may_add_what_they_like(replica: Replica) -> None:
    with answering(replica) as client:
        for path in ("/health", "/livez", "/ready", "/v2/health/live"):
            assert client.get(f"{path}?time=1").status_code == client.get(path).status_code
