"""What is deployed, as deploy/serve.yaml and the settings say."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ray.serve.schema import ServeDeploySchema

from data.domains.domain import CONFIGS, load_domains
from data.errors import Conflict, UnknownName
from serve_app.cluster.launch import (
    SERVE_YAML,
    greeting,
    refuse_taken_port,
    refuse_unknown_versions,
    serve_config,
)
from serve_app.cluster.ray_environment import (
    environment,
    forget_old_sessions,
    pod_environment,
    prepare_environment,
    ray_env_file,
    release_ports,
    scratch_folder,
)
from serve_app.settings import Settings, settings_from_env
from support.tiny import fresh_registry


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path))
    yield settings_from_env({"TELLTALE_DOMAINS": "keywords,faults", "TELLTALE_PORT": "8123"})
    release_ports()  # a service holds its ports while it lives; there are enough for twenty


def applications(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {app["name"]: app for app in config["applications"]}


def test_the_first_domain_is_served_at_the_root(settings: Settings) -> None:
    config = serve_config(settings)
    found = applications(config)
    assert found["keywords"]["route_prefix"] == "/"
    assert found["faults"]["route_prefix"] == "/faults"
    assert config["http_options"] == {"host": "127.0.0.1", "port": 8123}
    assert found["ui"]["args"]["api_url"] == "http://127.0.0.1:8123"


def test_the_log_is_as_quiet_as_the_file_says_unless_it_is_asked_for(settings: Settings) -> None:
    quiet = serve_config(settings)["logging_config"]
    assert (quiet["log_level"], quiet["enable_access_log"]) == ("WARNING", False)
    access = serve_config(replace(settings, access_log=True))["logging_config"]
    assert (access["log_level"], access["enable_access_log"]) == ("INFO", True)
    assert (
        serve_config(replace(settings, log_level="DEBUG"))["logging_config"]["log_level"] == "DEBUG"
    )


def test_a_domain_that_is_not_listed_gets_the_usual_deployment(settings: Settings) -> None:
    found = applications(serve_config(replace(settings, domains=("faults", "elephants"))))
    assert set(found) == {"curator", "ui", "faults", "elephants"}
    assert found["elephants"]["route_prefix"] == "/elephants"
    assert found["elephants"]["args"] == {"domain": "elephants"}
    assert found["elephants"]["deployments"] == found["faults"]["deployments"]


def test_shared_replicas_are_the_first_domains_and_serve_the_others_too(settings: Settings) -> None:
    found = applications(serve_config(replace(settings, shared_replicas=True)))
    assert set(found) == {"curator", "ui", "keywords"}
    assert found["keywords"]["route_prefix"] == "/"
    assert found["keywords"]["args"] == {"domain": "keywords", "guests": ["faults"]}
    # The curator asks there for what it would otherwise ask an application of the domain's name.
    assert found["curator"]["args"]["applications"] == {"faults": "keywords"}
    ServeDeploySchema.model_validate(serve_config(replace(settings, shared_replicas=True)))


def test_a_domain_with_settings_of_its_own_shares_no_replicas(settings: Settings) -> None:
    import yaml

    config = yaml.safe_load(SERVE_YAML.read_text("utf-8"))
    for app in config["applications"]:
        if app["name"] == "faults":
            app["args"]["wait_s"] = 0.25
    path = settings.home.root / "serve.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    with pytest.raises(Conflict, match="runs keywords and faults alike, but the conf"):
        serve_config(replace(settings, shared_replicas=True), path)


def test_who_shares_replicas_is_not_said_by_the_configuration(settings: Settings) -> None:
    import yaml

    config = yaml.safe_load(SERVE_YAML.read_text("utf-8"))
    config["applications"][-1]["args"]["guests"] = ["faults"]
    path = settings.home.root / "serve.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    with pytest.raises(Conflict, match="which TELLTALE_SHARED_REPLICAS alone sets"):
        serve_config(settings, path)


def test_a_domain_and_the_page_keep_the_arguments_that_their_builders_take(
    settings: Settings,
) -> None:
    import yaml

    config = yaml.safe_load(SERVE_YAML.read_text("utf-8"))
    for app in config["applications"]:
        if app["name"] == "faults":
            app["args"]["wait_s"] = 0.25
        if app["name"] == "ui":
            app["args"] = {"examples": "/clips"}
    path = settings.home.root / "serve.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    found = applications(serve_config(settings, path))
    assert found["faults"]["args"] == {"domain": "faults", "wait_s": 0.25}
    assert found["ui"]["args"] == {"examples": "/clips", "api_url": settings.url}


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
    first, second = environment(settings, Path("s")), environment(settings, Path("s"))
    path = Path(first["RAY_AUTH_TOKEN_PATH"])
    assert first["RAY_AUTH_TOKEN_PATH"] == second["RAY_AUTH_TOKEN_PATH"]
    assert path.stat().st_mode & 0o077 == 0
    assert path.read_text("utf-8") not in str(first)


def test_replicas_and_jobs_find_domain_files_wherever_they_run(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TELLTALE_CONFIGS", "mine")
    assert environment(settings, Path("s"))["TELLTALE_CONFIGS"] == str(tmp_path / "mine")


def test_pods_that_share_rays_token_alone_start_in_one_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "of the cluster's secret")
    found = []
    for pod in ("one", "two"):
        monkeypatch.setenv("TELLTALE_HOME", str(tmp_path / pod))
        settings = settings_from_env({"TELLTALE_HOST": "0.0.0.0", "TELLTALE_ADMIN_KEY": "k" * 16})
        script = pod_environment(settings) + "\nenv -0"
        told = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
        found.append(dict(line.split("=", 1) for line in told.stdout.split("\0") if line))
        release_ports()
    one, two = found
    assert one["TELLTALE_START_TOKEN"] == two["TELLTALE_START_TOKEN"]
    assert one["RAY_SERVE_ENABLE_HA_PROXY"] == "1"
    assert os.access(one["RAY_SERVE_HAPROXY_BINARY_PATH"], os.X_OK)
    assert "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER" not in one.keys() - os.environ.keys()


def test_ray_is_not_imported_before_its_environment_is_set() -> None:
    code = "import sys, serve_app.__main__, serve_app.cluster.launch; print('ray' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_a_taken_port_is_refused_before_anything_starts(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Conflict, match=f"port {port} is taken"):
            refuse_taken_port(replace(settings, port=port))


def test_services_that_start_together_take_different_ports(settings: Settings) -> None:
    def made() -> tuple[set[str], range]:
        found = environment(settings, Path("s"))
        named = {name: found[name] for name in found if name.endswith("_PORT")} | {
            "Ray": found["RAY_API_SERVER_ADDRESS"].rpartition(":")[2]
        }
        first, last = (
            int(named.pop(f"RAY_SERVE_DIRECT_INGRESS_{end}_HTTP_PORT")) for end in ("MIN", "MAX")
        )
        return set(named.values()) - {found["TELLTALE_PORT"], "0"}, range(first, last + 1)

    (first, replicas), (second, others) = made(), made()
    assert len(first) == len(second) == 5  # the fallback proxy's two among them
    assert not first & second
    assert not set(replicas) & set(others)
    assert min(len(replicas), len(others)) >= 50
    for port in first:  # and what is held for Ray and HAProxy, they can have
        socket.create_server(("127.0.0.1", int(port))).close()


def test_a_jobs_python_is_the_services(settings: Settings) -> None:
    found = environment(settings, Path("s"))["PATH"].split(os.pathsep)
    assert shutil.which("python", path=os.pathsep.join(found)) == str(
        Path(sys.executable).parent / "python"
    )


def test_only_who_may_be_reached_from_elsewhere_is(settings: Settings) -> None:
    name = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
    assert environment(settings, Path("s"))[name] == "0"
    assert name not in environment(replace(settings, host="0.0.0.0"), Path("s"))


def test_a_folder_that_others_could_have_made_is_not_used(settings: Settings) -> None:
    folder = scratch_folder(settings)
    assert folder.stat().st_mode & 0o077 == 0
    assert scratch_folder(settings) == folder
    folder.chmod(0o777)
    with pytest.raises(Conflict, match="not a folder of this user's alone"):
        scratch_folder(settings)
    folder.rmdir()
    folder.symlink_to(settings.home.root)
    with pytest.raises(Conflict, match="not a folder of this user's alone"):
        scratch_folder(settings)
    folder.unlink()


def test_logs_of_old_starts_are_not_kept_for_ever(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = scratch_folder(settings)
    for number in range(5):
        (folder / "ray" / f"session_2026-01-0{number}" / "logs").mkdir(parents=True)
    (folder / "haproxy.running").write_text("1 of an earlier start")
    monkeypatch.setattr(os, "environ", dict(os.environ))
    prepare_environment(settings)
    forget_old_sessions(folder)
    kept = sorted(path.name for path in folder.glob("ray/*"))
    assert kept == [f"session_2026-01-0{number}" for number in (2, 3, 4)]
    assert not (folder / "haproxy.running").exists()
    shutil.rmtree(folder)


def test_rays_own_commands_find_the_cluster_by_one_file(settings: Settings) -> None:
    path = settings.home.root / "ray.env"
    with ray_env_file(settings, "127.0.0.1:6379"):
        assert path.stat().st_mode & 0o077 == 0
        shown = subprocess.run(
            ["sh", "-c", f". {path}; env"], capture_output=True, text=True, check=True
        ).stdout
        assert "RAY_ADDRESS=127.0.0.1:6379\n" in shown
        assert f"PATH={Path(sys.executable).parent}:" in shown
    assert not path.exists()


def test_the_key_is_shown_to_a_terminal_only(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://127.0.0.1:8265")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False, raising=False)
    assert settings.admin_key not in greeting(settings)
    assert str(settings.home.root / "admin-key") in greeting(settings)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert f"/ui?key={settings.admin_key}" in greeting(settings)


def test_a_start_says_which_versions_are_pinned(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://127.0.0.1:8265")
    assert "pinned" not in greeting(settings)
    pinned = replace(settings, pinned={"faults": "3"})
    assert "\n  pinned  faults to version 3, by TELLTALE_MODEL_VERSION\n" in greeting(pinned)


def test_a_start_that_answers_to_any_name_says_so(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://127.0.0.1:8265")
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.5:6379")
    assert "TELLTALE_ALLOWED_HOSTS" not in greeting(settings)
    wide = replace(settings, host="0.0.0.0", names=())
    assert "\n  names  any is answered; " in greeting(wide)
    assert "TELLTALE_ALLOWED_HOSTS" in greeting(wide)
    assert "TELLTALE_ALLOWED_HOSTS" not in greeting(replace(wide, names=("telltale.example",)))


def test_a_start_with_a_version_that_does_not_exist_is_refused(settings: Settings) -> None:
    fresh_registry(settings.home.root)
    refuse_unknown_versions(replace(settings, pinned={"faults": "1"}))  # which is shipped
    with pytest.raises(UnknownName, match="faults has no version '9'; its versions are 1"):
        refuse_unknown_versions(replace(settings, pinned={"faults": "9"}))


def test_every_machine_of_a_service_knows_its_start_and_no_other_service_does(
    settings: Settings, tmp_path: Path
) -> None:
    """A replica on a machine that has joined answers the start's question, too."""

    def start(of: Settings) -> str:
        return environment(of, Path("s"))["TELLTALE_START_TOKEN"]

    other = replace(settings, home=replace(settings.home, root=tmp_path / "other"))
    assert start(settings) == start(settings) != start(other)
    assert (tmp_path / "ray-token").read_text(encoding="utf-8").strip() not in start(settings)
