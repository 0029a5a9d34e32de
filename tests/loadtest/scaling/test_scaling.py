"""The command: what it refuses before anything starts, and what it would deploy."""

from inspect import signature
from pathlib import Path

import pytest
import yaml
from fastapi import FastAPI
from ray.serve.schema import ServeDeploySchema

from data.errors import InvalidParameter, NotReady
from data.home import planned_home
from loadtest.command import exit_code
from loadtest.own_service import Target
from loadtest.scaling import __main__ as scaling
from serve_app.cluster.launch import serve_config
from serve_app.settings import Settings
from support.local_server import Server


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--url", "http://127.0.0.1:9", "--synthetic"], "leave --url away"),
        (["--url", "http://127.0.0.1:9", "--replicas", "1,2"], "leave --url away"),
        (["--steps", "many"], "'many' is no step"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_starts(
    words: list[str], problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
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
