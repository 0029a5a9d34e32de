"""launch.py: one domain without a model does not keep the others from being served."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI, Request

from data.errors import NotReady
from serve_app.cluster import launch
from serve_app.settings import START_HEADER, settings_from_env
from support.local_server import Server

TOKEN = "of-this-start"
DAMAGED = "version 3: head.safetensors is not the file the card describes"


def told(curator: str, load_error: str | None, token: str = TOKEN) -> list[str]:
    """What a start says of a service whose `pumps` has no model."""
    app = FastAPI()

    @app.get("/ready", status_code=503)
    def ready(request: Request) -> dict[str, Any]:
        yours = request.headers[START_HEADER] == TOKEN
        return {"domains": {"faults": "warm", "pumps": "no model yet"}, "yours": yours}

    @app.get("/status")
    def status() -> dict[str, Any]:
        row = {"replicas": [{"load_error": load_error}]}
        return {"curator": curator, "domains": {"faults": row, "pumps": row}}

    said: list[str] = []
    with Server(app) as url:
        settings = settings_from_env({"TELLTALE_DOMAINS": "faults"})
        port = int(urlsplit(url).port or 0)
        there = replace(settings, port=port, domains=("faults", "pumps"), start_token=token)
        launch.wait_until_ready(there, said.append)
    return said


@pytest.fixture(autouse=True)
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    up = dict.fromkeys(("ui", "faults", "pumps"), ("RUNNING", ""))
    monkeypatch.setattr(launch, "applications", lambda: up)
    monkeypatch.setattr(launch, "BARE_PATIENCE_S", 0.5)
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path))


@pytest.mark.parametrize("curator", ["ok", "away"])
def test_the_others_are_served_and_how_to_train_it_is_said(
    curator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "PATIENCE_S", 20)  # beyond it is NotReady
    said = told(curator, None)
    assert "pumps: no model yet; train it: telltale retrain pumps --mode full" in said


def test_a_model_that_cannot_be_loaded_is_told_apart_from_one_that_is_missing() -> None:
    assert f"pumps: {DAMAGED}" in told("ok", DAMAGED)


def test_another_service_that_answers_at_our_port_is_not_taken_for_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(launch, "PATIENCE_S", 0.5)
    with pytest.raises(NotReady, match="did not come up"):
        told("ok", None, token="of-another-start")


def test_an_application_that_fails_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    message = (
        "Traceback:\n  File ...\nInvalidDomain: configs/pumps.yaml: there is no key 'colour'\n"
    )
    monkeypatch.setattr(launch, "applications", lambda: {"pumps": ("DEPLOY_FAILED", message)})
    with pytest.raises(NotReady) as error:
        told("ok", None)
    assert str(error.value).count("\n") == 0
    assert "there is no key 'colour'" in str(error.value)
