"""What is deployed, as deploy/serve.yaml and the settings say."""

import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ray.serve.schema import ServeDeploySchema

from data.domain import CONFIGS, load_domains
from data.errors import Conflict
from serve_app.launch import SERVE_YAML, environment, running, serve_config
from serve_app.settings import Settings, settings_from_env


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path))
    return settings_from_env({"TELLTALE_DOMAINS": "keywords,faults", "TELLTALE_PORT": "8123"})


def applications(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {app["name"]: app for app in config["applications"]}


def test_the_first_domain_is_served_at_the_root(settings: Settings) -> None:
    config = serve_config(settings)
    found = applications(config)
    assert found["keywords"]["route_prefix"] == "/"
    assert found["faults"]["route_prefix"] == "/faults"
    assert config["http_options"] == {"host": "127.0.0.1", "port": 8123}
    assert found["ui"]["args"]["api_url"] == "http://127.0.0.1:8123"


def test_a_domain_that_is_not_listed_gets_the_usual_deployment(settings: Settings) -> None:
    found = applications(serve_config(replace(settings, domains=("faults", "elephants"))))
    assert set(found) == {"curator", "ui", "faults", "elephants"}
    assert found["elephants"]["route_prefix"] == "/elephants"
    assert found["elephants"]["args"] == {"domain": "elephants"}
    assert found["elephants"]["deployments"] == found["faults"]["deployments"]


def test_a_domain_keeps_the_arguments_that_its_builder_takes(settings: Settings) -> None:
    import yaml

    config = yaml.safe_load(SERVE_YAML.read_text("utf-8"))
    for app in config["applications"]:
        if app["name"] == "faults":
            app["args"]["wait_s"] = 0.25
    path = settings.home.root / "serve.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    found = applications(serve_config(settings, path))
    assert found["faults"]["args"] == {"domain": "faults", "wait_s": 0.25}


def test_the_shipped_file_is_one_that_ray_takes_as_it_is(settings: Settings) -> None:
    import yaml

    for config in (yaml.safe_load(SERVE_YAML.read_text("utf-8")), serve_config(settings)):
        ServeDeploySchema.model_validate(config)


def test_the_shipped_file_serves_every_shipped_domain_as_a_start_does(settings: Settings) -> None:
    import yaml

    shipped = yaml.safe_load(SERVE_YAML.read_text("utf-8"))
    found = applications(serve_config(replace(settings, domains=tuple(load_domains(CONFIGS)))))
    del found["ui"]["args"]
    assert applications(shipped) == found


def test_rays_token_is_made_once_for_its_owner_only(settings: Settings) -> None:
    first, second = environment(settings, "s"), environment(settings, "s")
    path = Path(first["RAY_AUTH_TOKEN_PATH"])
    assert first["RAY_AUTH_TOKEN_PATH"] == second["RAY_AUTH_TOKEN_PATH"]
    assert path.stat().st_mode & 0o077 == 0
    assert path.read_text("utf-8") not in str(first)


def test_replicas_and_jobs_find_domain_files_wherever_they_run(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TELLTALE_CONFIGS", "mine")
    assert environment(settings, "s")["TELLTALE_CONFIGS"] == str(tmp_path / "mine")


def test_ray_is_not_imported_before_its_environment_is_set() -> None:
    code = "import sys, serve_app.__main__, serve_app.launch; print('ray' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_a_taken_port_is_refused_before_anything_starts(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(Conflict, match=f"port {port} is taken"),
            running(replace(settings, port=port), lambda text: None),
        ):
            raise AssertionError("it started")


def test_services_that_start_together_take_different_ports(settings: Settings) -> None:
    def ports() -> set[str]:
        made = environment(settings, "s")
        named = {name: made[name] for name in made if name.endswith("_PORT")} | {
            "Ray": made["RAY_API_SERVER_ADDRESS"].rpartition(":")[2]
        }
        return set(named.values()) - {made["TELLTALE_PORT"], "0"}

    first, second = ports(), ports()
    assert len(first) == len(second) == 3
    assert not first & second
    for port in first:  # and what is held for Ray and HAProxy, they can have
        socket.create_server(("127.0.0.1", int(port))).close()
