"""serve_app/launch.py: one domain without a model does not keep the others from being served."""

import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI
from local_server import Server
from ray import serve

from serve_app import launch
from serve_app.settings import settings_from_env

DAMAGED = "version 3: head.safetensors is not the file the card describes"


def told(curator: str, load_error: str | None) -> list[str]:
    """What a start says of a service whose `pumps` has no model."""
    app = FastAPI()

    @app.get("/ready", status_code=503)
    def ready() -> dict[str, Any]:
        return {"domains": {"faults": "warm", "pumps": "no model yet"}}

    @app.get("/status")
    def status() -> dict[str, Any]:
        row = {"replicas": [{"load_error": load_error}]}
        return {"curator": curator, "domains": {"faults": row, "pumps": row}}

    said: list[str] = []
    with Server(app) as url:
        settings = settings_from_env({"TELLTALE_DOMAINS": "faults"})
        there = replace(settings, port=int(urlsplit(url).port or 0), domains=("faults", "pumps"))
        launch.wait_until_ready(there, said.append)
    return said


@pytest.fixture(autouse=True)
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    up = {name: SimpleNamespace(status="RUNNING", message="") for name in ("ui", "faults", "pumps")}
    monkeypatch.setattr(serve, "status", lambda: SimpleNamespace(applications=up))
    monkeypatch.setattr(launch, "BARE_PATIENCE_S", 0.5)
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path))


@pytest.mark.parametrize("curator", ["ok", "away"])
def test_the_others_are_served_and_how_to_train_it_is_said(curator: str) -> None:
    started = time.monotonic()
    said = told(curator, None)
    assert "pumps: no model yet; train it: python -m training.retrain pumps --mode full" in said
    assert time.monotonic() - started < 5


def test_a_model_that_cannot_be_loaded_is_told_apart_from_one_that_is_missing() -> None:
    assert f"pumps: {DAMAGED}" in told("ok", DAMAGED)
