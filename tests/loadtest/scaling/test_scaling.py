"""The command: what it refuses before anything starts, and what it would deploy."""

import re
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi import FastAPI
from ray.serve.schema import ServeDeploySchema

from data.errors import InvalidParameter, NotReady
from data.home import planned_home
from loadtest.command import exit_code
from loadtest.own_service import Target
from loadtest.scaling import __main__ as scaling
from loadtest.scaling.presets import Preset
from serve_app.cluster.launch import serve_config
from serve_app.settings import Settings
from support.local_server import Server


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--url", "http://127.0.0.1:9", "--synthetic"], "leave --url away"),
        (["--url", "http://127.0.0.1:9", "--replicas", "1,2"], "leave --url away"),
        (["--steps", "many"], "'many' is no step"),
        (["--preset", "smoke,nosuch"], "there is no preset nosuch; there are step, smoke"),
        (["--preset", "retrain"], "set TELLTALE_DATASETS"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_starts(
    words: list[str],
    problem: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scaling, "dataset_root", lambda: None)
    arguments = scaling.parsed([*words, "--out", str(tmp_path / "out")])
    assert exit_code(scaling.measure, arguments) == 1
    assert problem in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_report_does_not_give_the_key_away() -> None:
    words = ["--url", "http://127.0.0.1:9", "--key", "a secret"]
    assert scaling.without_key(words, "a secret") == [*words[:-1], "KEY"]
    assert scaling.without_key(["--key=a secret"], "a secret") == ["--key=KEY"]
    assert scaling.without_key(words[:2], "") == words[:2]


def test_the_synthetic_profile_differs_in_the_replica_alone(tmp_path: Path) -> None:
    deployed = []
    for wait_s in (0.0, 0.2):
        (tmp_path / "serve.yaml").write_text(yaml.safe_dump(scaling.configuration(wait_s)))
        settings = Settings(planned_home({}), "127.0.0.1", 8000, ("hearts",), "key")
        deployed.append(serve_config(settings, tmp_path / "serve.yaml"))
        ServeDeploySchema.model_validate(deployed[-1])
    real, synthetic = deployed
    app = synthetic["applications"][-1]
    assert app.pop("import_path") == "loadtest.scaling.synthetic:domain"
    assert app["args"].pop("wait_s") == 0.2
    assert real["applications"][-1].pop("import_path") == "serve_app.app:domain"
    assert synthetic == real


def test_the_waiting_replica_takes_the_place_of_the_real_one_in_the_batcher() -> None:
    from loadtest.scaling.synthetic import WaitingService, domain
    from serve_app.domain_service import DomainService

    real, waiting = (signature(kind.answer_batch) for kind in (DomainService, WaitingService))
    assert waiting == real
    assert domain({"domain": "faults", "wait_s": 0.2})


def test_a_service_that_is_away_or_serves_others_is_named_before_any_load() -> None:
    app = FastAPI()
    app.add_api_route("/status", lambda: {"domains": {"faults": {}, "keywords": {}}})
    with Server(app) as url:
        assert scaling.served(Target(url, "keywords")).url == url
        with pytest.raises(InvalidParameter, match="'hearts'; it serves faults, keywords"):
            scaling.served(Target(url, "hearts"))
    with pytest.raises(NotReady, match="no Telltale answers at http://127.0.0.1:9;"):
        scaling.served(Target("http://127.0.0.1:9", "faults"))


@pytest.mark.deploy
def test_several_scenarios_are_one_page_with_a_picture_each_and_a_retrain_in_the_middle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, ordered = FastAPI(), list[dict[str, Any]]()
    events = [{"kind": "queued"}, {"kind": "epoch"}, {"kind": "epoch"}]
    app.add_api_route("/status", lambda: {"domains": {"faults": {}}})
    app.add_api_route("/faults/predict", lambda: {}, methods=["POST"])
    told = {"finished": None, "events": events}
    app.add_api_route("/faults/retrain/r1", lambda: told)

    @app.post("/faults/retrain", status_code=202)
    async def retrain(order: dict[str, Any]) -> dict[str, str]:
        ordered.append(order)
        return {"id": "r1"}

    few = Preset("a few", "2x3", "PowerUser", note="Like those of others.")
    training = replace(few, title="a retrain", steps="2x12", retrain_after_s=10)
    monkeypatch.setattr(scaling, "presets", lambda: {"few": few, "training": training})
    out = tmp_path / "out"
    with Server(app) as url:
        words = ["--preset", "few,training", "--url", url, "--key", "k", "--out", str(out)]
        assert scaling.measure(scaling.parsed(words)) == 0
    assert [order["mode"] for order in ordered] == ["full"]
    page = (out / "README.md").read_text("utf-8")
    assert page.startswith("# Telltale under load: passed")
    assert re.findall("^## (.+)$", page, re.MULTILINE) == ["A few", "A retrain"]
    assert page.count("### Before and during a full retrain") == 1
    for picture in ("few.png", "training.png"):
        assert f"]({picture})" in page
        assert (out / picture).stat().st_size < 120_000
