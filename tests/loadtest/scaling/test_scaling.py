"""The command: what it refuses before anything starts, and what it would deploy."""

import sys
from inspect import signature
from pathlib import Path

import pytest
from ray.serve.schema import ServeDeploySchema

from loadtest.scaling import __main__ as scaling
from loadtest.scaling.hosted import configuration


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--url", "http://127.0.0.1:9", "--synthetic"], "leave --url away"),
        (["--url", "http://127.0.0.1:9", "--replicas", "1,2"], "leave --url away"),
        (["--steps", "many"], "'many' is no step"),
        (["--replicas", "1,two"], "--replicas reads 1,2,3,5"),
        (["--replicas", "0"], "--replicas reads 1,2,3,5"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_starts(
    words: list[str],
    problem: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["scaling", *words, "--out", str(tmp_path / "out")])
    assert scaling.main() == 1
    assert problem in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_report_does_not_give_the_key_away() -> None:
    words = ["--url", "http://127.0.0.1:9", "--key", "a secret"]
    assert scaling.without_key(words) == ["--url", "http://127.0.0.1:9", "--key", "KEY"]
    assert scaling.without_key(["--key=a secret"]) == ["--key=KEY"]


@pytest.mark.parametrize("domain", ["faults", "keywords", "elephants"])
def test_a_service_of_its_own_serves_the_one_domain_as_shipped(domain: str) -> None:
    config = configuration(domain)
    ServeDeploySchema.model_validate(config)
    (app,) = [app for app in config["applications"] if "domain" in app.get("args", {})]
    assert (app["name"], app["args"]) == (domain, {"domain": domain})
    assert app["import_path"] == "serve_app.app:domain"


def test_the_synthetic_profile_differs_in_the_replica_alone() -> None:
    real, synthetic = (configuration("faults", wait_s) for wait_s in (0.0, 0.2))
    ServeDeploySchema.model_validate(synthetic)
    app = synthetic["applications"][-1]
    assert app.pop("import_path") == "loadtest.scaling.synthetic:domain"
    assert app["args"].pop("wait_s") == 0.2
    del real["applications"][-1]["import_path"]
    assert synthetic == real


def test_the_waiting_replica_takes_the_place_of_the_real_one_in_the_batcher() -> None:
    from loadtest.scaling.synthetic import WaitingService, domain
    from serve_app.domain_service import DomainService

    real, waiting = (signature(kind.answer_batch) for kind in (DomainService, WaitingService))
    assert waiting == real
    assert domain({"domain": "faults", "wait_s": 0.2})
