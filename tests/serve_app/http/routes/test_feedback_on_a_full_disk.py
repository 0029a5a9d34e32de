"""POST /feedback on a disk that fills, and what /status and /ready say of it."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from data.domains.domain import load_domains
from data.home import home_from_env
from data.media.prepare import prepare
from data.store.store import Store
from serve_app.http import api, problems
from serve_app.http.auth import Keyring
from serve_app.http.routes import feedback_routes
from serve_app.key_file import known_keys
from serve_app.replica.admission import Admission
from serve_app.replica.shared_look import SharedLook
from support.inputs.sounds import tone
from support.keys import old_key

ADMIN = "tt_an-admins-key-for-this-test"
FAULTS = load_domains(names=("faults",))["faults"]
SECONDS = 10.0  # 0.32 MB


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A home on a disk of 8 MB, of which 0.4 are for callers with a key."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    folder = tmp_path / "home"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def app(small: Path) -> Iterator[FastAPI]:
    home = home_from_env({"TELLTALE_HOME": str(small)})
    store = Store.open(home.database_url, home.storage_uri)
    bundle = SimpleNamespace(labels=FAULTS.labels)
    served = SimpleNamespace(
        exam_clips=frozenset(), exam_fingerprints=None, bundle=bundle, version="1"
    )

    async def predict(raw: bytes, who: str) -> SimpleNamespace:
        scores = SimpleNamespace(best=0, confidence=0.5, asserted=False)
        return SimpleNamespace(served=served, scores=scores, prepared=prepare(raw, FAULTS))

    app = FastAPI()
    problems.install(app)
    for router in (api.public, feedback_routes.router):
        app.include_router(router)
    app.state.service = SimpleNamespace(
        store=store,
        domain=FAULTS,
        predict=predict,
        started=0.0,
        champion=SimpleNamespace(loaded=True, served=served),
        admission=Admission(60, fewest=4),
        metrics=SimpleNamespace(corrected=lambda state: None),
        settings=SimpleNamespace(home=home, domains=("faults",)),
        curator=None,
        describe=lambda: {"replica": "r-1", "pid": 1},
    )
    app.state.service.beside = {"faults": app.state.service}
    app.state.states, app.state.status = SharedLook[Any](), SharedLook[Any]()
    app.state.troubles = SharedLook[Any]()
    app.state.keyring = Keyring(ADMIN, lambda: known_keys(store.keys, small))
    yield app
    store.close()


def correct(app: FastAPI, seed: int, address: str = "10.0.0.1", key: str = "") -> Any:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with TestClient(app, headers=headers, client=(address, 5000)) as client:
        clip = tone(300, seconds=SECONDS, seed=seed)
        return client.post("/feedback", files={"file": clip}, data={"label": "fluid"})


def test_people_without_a_key_leave_room_for_those_with_one(app: FastAPI) -> None:
    first, *others = [correct(app, seed) for seed in range(30)]
    assert first.status_code == 201
    assert {answer.status_code for answer in others} == {429}
    assert "with a key" in others[0].json()["detail"]
    assert int(others[0].headers["Retry-After"]) > 60
    for number in range(30):
        assert correct(app, 100 + number, f"10.0.0.{2 + number}").status_code == 201
    assert correct(app, 200, key=ADMIN).status_code == 201
    with TestClient(app) as client:
        receipt = client.get(f"/feedback/{first.json()['receipt']}").json()
    assert (receipt["state"], "waited longest" in receipt["reason"]) == ("rejected", True)
    assert "10.0.0" not in str(receipt)


def test_a_nearly_full_disk_is_said_where_people_look(app: FastAPI, small: Path) -> None:
    with TestClient(app) as client:
        assert client.get("/status").json()["warnings"] == []
        assert client.get("/ready").json()["warnings"] == []
        left = os.statvfs(small)
        (small / "filler").write_bytes(bytes((left.f_bavail - 60) * left.f_frsize))
        ready = client.get("/ready")
        assert ready.status_code == 200, "it can serve"
        for said in (ready.json(), client.get("/status").json()):
            assert len(said["warnings"]) == 1
            assert said["warnings"][0].startswith("the disk is nearly full")
            assert str(small) not in said["warnings"][0]
    refused = correct(app, 1)
    assert (refused.status_code, refused.json()["title"]) == (503, "Not ready")
    assert "the disk is nearly full" in refused.json()["detail"]
    (small / "filler2").write_bytes(bytes(os.statvfs(small).f_bavail * left.f_frsize))
    full = correct(app, 2, key=ADMIN)
    assert full.status_code == 503
    assert "the disk is full" in full.json()["detail"]
    assert list((small / "blobs" / "unfinished").iterdir()) == []


def test_keys_that_cannot_be_read_are_no_500_and_are_said(app: FastAPI, small: Path) -> None:
    key = old_key(small, "ann", "contributor")
    (small / "keys.json").write_text("{", encoding="utf-8")
    asyncio.run(app.state.keyring.look(f"Bearer {key}"))
    answer = correct(app, 1, key=key)
    assert answer.status_code == 503
    assert "keys.json cannot be read" in answer.json()["detail"]
    assert correct(app, 1, key=ADMIN).status_code == 201
    with TestClient(app) as client:
        (said,) = client.get("/status").json()["warnings"]
    assert "keys.json cannot be read" in said
