"""quota_lines.py, in the real HAProxy before two toy replicas."""

from base64 import b64encode
from pathlib import Path

import httpx
import pytest

from serve_app.cluster.quota_refusals import QuotaRefusals
from serve_app.settings import VISITOR_HEADER, Quotas
from support.proxied import answer, proxied

KEY = {"Authorization": "Bearer somebody"}


def test_callers_have_a_quota_of_their_own_over_all_replicas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELLTALE_START_TOKEN", "a-secret")
    both = answer("200 OK"), answer("200 OK")
    with (
        proxied(tmp_path, *both, quotas=Quotas(key=5, address=2)) as (url, toys),
        httpx.Client(trust_env=False, timeout=30) as client,
    ):

        def asked(times: int, path: str = "/predict", **headers: str) -> list[int]:
            ask = [client.post(url + path, content=b"c", headers=headers) for _ in range(times)]
            return [found.status_code for found in ask]

        assert asked(7, **KEY) == [200] * 5 + [429] * 2
        for path in ("/api/batch-predict", "/keywords/webhook"):
            assert asked(1, path, **KEY) == [429]
        assert client.get(f"{url}/keywords/stream", headers=KEY).status_code == 429
        assert asked(3) == [200, 200, 429]
        assert asked(3, **{VISITOR_HEADER: "a-secret 10.0.0.9"}) == [200, 200, 429]
        assert asked(1, **{VISITOR_HEADER: "a-guess 10.0.0.8"}) == [429]
        assert asked(9, "/retrain") == [200] * 9, "only clips are counted"
        assert {bool(toy.requests) for toy in toys} == {True}
        refused = client.post(f"{url}/predict", content=b"c", headers=KEY)
        assert refused.headers["content-type"] == "application/problem+json"
        assert 1 <= int(refused.headers["retry-after"]) <= 12, "one comes in twelve seconds"
        assert refused.json()["title"] == "Quota used up"
        assert "5 requests with clips a minute" in refused.json()["detail"]


def test_however_a_key_is_written_it_has_one_quota(tmp_path: Path) -> None:
    with (
        proxied(tmp_path, answer("200 OK"), quotas=Quotas(key=2, address=1)) as (url, _),
        httpx.Client(trust_env=False, timeout=30) as client,
    ):

        def asked(authorization: str) -> int:
            headers = {"Authorization": authorization}
            return client.post(f"{url}/predict", content=b"c", headers=headers).status_code

        def basic(password: str, user: str = "") -> str:
            return "Basic " + b64encode(f"{user}:{password}".encode()).decode()

        assert asked("Bearer somebody") == asked("Bearer  somebody") == 200
        assert asked("bEaRer somebody") == asked(basic(" somebody ", "label")) == 429
        assert asked(basic("some:body")) == asked(basic("some:body", "studio")) == 200
        assert asked(basic("some:body").replace("Basic", "bAsic")) == 429
        assert asked("Bearer somebody-else") == asked("") == 200
        assert asked("") == asked("Bearer") == 429, "without a key, the address counts"


def test_refusals_are_counted_also_across_a_restart(tmp_path: Path) -> None:
    refusals = QuotaRefusals(str(tmp_path / "admin.sock"))
    refusals.look()
    assert set(refusals.counted.values()) == {0}, "nobody is there to be asked"
    for times in (4, 6):  # each time HAProxy begins at zero
        with (
            proxied(tmp_path, answer("200 OK"), quotas=Quotas(key=2, address=9)) as (url, _),
            httpx.Client(trust_env=False, timeout=30) as client,
        ):
            for _ in range(times):
                client.post(f"{url}/predict", content=b"c", headers=KEY)
            refusals.look()
            refusals.look()
    found = {dict(labels)["caller"]: count for (_, labels), count in refusals.counted.items()}
    assert found == {"key": 2 + 4, "address": 0}


def test_what_a_bucket_has_lost_comes_back(tmp_path: Path) -> None:
    with (
        proxied(tmp_path, answer("200 OK"), quotas=Quotas(address=60)) as (url, _),
        httpx.Client(trust_env=False, timeout=30) as client,
    ):
        found = [client.post(f"{url}/predict", content=b"c").status_code for _ in range(120)]
        assert found[:60] == [200] * 60
        assert 429 in found
        last = client.post(f"{url}/predict", content=b"c")
        while last.status_code == 429:
            assert last.headers["retry-after"] == "1"
            last = client.post(f"{url}/predict", content=b"c")
