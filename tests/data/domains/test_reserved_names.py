"""A domain is not called like something that the service has already."""

import re
from pathlib import Path

import pytest
import yaml
from fastapi import FastAPI
from starlette.routing import Route

from data.domains.domain import CONFIGS, load_domain, load_domains
from data.domains.reserved_names import TAKEN
from data.errors import InvalidDomain
from data.home import Home, home_from_env
from models.registry.opened import open_registry
from serve_app.cluster.launch import SERVE_YAML
from serve_app.http.api import public
from serve_app.http.protocols import (
    inference_protocol,
    legacy_routes,
    tus_routes,
)
from serve_app.http.routes import (
    analyze_routes,
    clip_routes,
    feedback_routes,
    history_routes,
    insights,
    job_routes,
    kept_routes,
    key_routes,
    label_studio,
    predict_routes,
    retrain_routes,
    stream_routes,
    upload_routes,
)
from support.tiny import fresh_registry, tiny_bundle

FAULTS = (CONFIGS / "faults.yaml").read_text(encoding="utf-8")


def test_every_route_and_every_other_application_keeps_its_name() -> None:
    parts = (
        *(analyze_routes, clip_routes, legacy_routes, feedback_routes, inference_protocol),
        *(insights, key_routes, label_studio, history_routes, predict_routes, retrain_routes),
        *(upload_routes, tus_routes, job_routes, kept_routes, stream_routes),
    )
    routers = (public, *(part.router for part in parts), FastAPI())
    routes = [route for router in routers for route in router.routes]
    found = {"api"} | {route.path.split("/")[1] for route in routes if isinstance(route, Route)}
    config = yaml.safe_load(SERVE_YAML.read_text(encoding="utf-8"))
    found |= {app["name"] for app in config["applications"] if "domain" not in app.get("args", {})}
    assert {word for word in found if re.fullmatch(r"[a-z][a-z0-9_]+", word)} <= TAKEN


@pytest.mark.parametrize("name", ["ui", "curator", "predict", "api"])
def test_a_name_that_is_taken_is_refused_in_words(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.yaml").write_text(FAULTS, encoding="utf-8")
    with pytest.raises(InvalidDomain, match=f"{name}.yaml: .* rename the file"):
        load_domain(tmp_path / f"{name}.yaml")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """`faults`, which something is shipped for, in a new home."""
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path / "home"))
    tiny_bundle(tmp_path / "pretrained" / "faults", load_domains(names=("faults",))["faults"])
    fresh_registry(home_from_env().root)
    return home_from_env()


def test_a_new_home_begins_with_what_is_shipped(home: Home, tmp_path: Path) -> None:
    registry = open_registry(home, ["faults"], {}, tmp_path / "pretrained")
    champion = registry.champion("faults")
    assert champion is not None
    assert champion.tags["verdict"] == "shipped"


def test_a_domain_that_is_only_called_like_a_shipped_one_begins_with_nothing(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = yaml.safe_load(FAULTS) | {"labels": ["cracked", "whole"], "rest_label": "whole"}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "faults.yaml").write_text(yaml.safe_dump(own), encoding="utf-8")
    monkeypatch.setenv("TELLTALE_CONFIGS", str(tmp_path / "mine"))
    registry = open_registry(home, ["faults"], {}, tmp_path / "pretrained")
    assert registry.champion("faults") is None
