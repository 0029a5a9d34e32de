"""deploy/platforms: what each is given is what it takes, one container and settings that exist."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "platforms"
FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file())
PAGES = sorted(FOLDER.glob("*.md"))


def read(name: str) -> Any:
    text = (FOLDER / name).read_text("utf-8")
    return json.loads(text) if name.endswith(".json") else yaml.safe_load(text)


def test_ecs_takes_its_task() -> None:
    botocore = pytest.importorskip("botocore.session")
    model = botocore.get_session().get_service_model("ecs")
    shape = model.operation_model("RegisterTaskDefinition").input_shape
    validate = pytest.importorskip("botocore.validate")
    report = validate.ParamValidator().validate(read("ecs-task.json"), shape)
    assert not report.has_errors(), report.generate_report()


def test_cloud_run_is_given_a_pod_that_kubernetes_takes() -> None:
    """Knative's own keys aside."""
    service = read("cloud-run.yaml")
    spec = service["spec"]["template"]["spec"]
    own = {"containerConcurrency", "timeoutSeconds"}
    spec = {key: value for key, value in spec.items() if key not in own}
    for number, container in enumerate(spec["containers"]):
        container["name"] = f"container-{number}"  # which Cloud Run gives by itself
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "telltale"}, "spec": spec}
    kubernetes_validate.validate(pod, kubernetes_validate.latest_version(), strict=True)


def test_nobody_is_given_more_than_one_container() -> None:
    cloud_run = read("cloud-run.yaml")["spec"]["template"]["metadata"]["annotations"]
    assert cloud_run["autoscaling.knative.dev/maxScale"] == "1"
    scale = read("azure-container-app.yaml")["properties"]["template"]["scale"]
    assert scale == {"minReplicas": 1, "maxReplicas": 1}
    assert [service["numInstances"] for service in read("render.yaml")["services"]] == [1]
    assert read("railway.json")["deploy"]["numReplicas"] == 1


def test_what_is_built_is_the_dockerfile_that_there_is() -> None:
    (render,) = read("render.yaml")["services"]
    named = {
        render["dockerfilePath"],
        read("railway.json")["build"]["dockerfilePath"],
        read("heroku.yml")["build"]["docker"]["web"],
    }
    assert {Path(name) for name in named} == {Path("deploy/docker/Dockerfile")}


def test_heroku_starts_with_its_own_port_and_database() -> None:
    command = read("heroku.yml")["run"]["web"].replace("telltale serve", "env")
    given = {"PORT": "4711", "DATABASE_URL": "postgres://u:p@host:5432/name"}
    said = subprocess.run(
        ["/bin/sh", "-c", command], env={**os.environ, **given}, capture_output=True, text=True
    )
    found = dict(line.split("=", 1) for line in said.stdout.splitlines() if "=" in line)
    assert found["TELLTALE_PORT"] == "4711"
    assert found["TELLTALE_DATABASE_URL"] == "postgresql+psycopg://u:p@host:5432/name"
    assert found["MLFLOW_TRACKING_URI"] == found["TELLTALE_DATABASE_URL"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_every_setting_that_is_named_is_one(path: Path) -> None:
    settings = re.findall(r"`(TELLTALE_[A-Z_]+)`", (ROOT / "README.md").read_text("utf-8"))
    named = re.findall(r"\bTELLTALE_[A-Z_]+\b", path.read_text("utf-8"))
    assert set(named) <= set(settings)


def test_every_file_is_told_of_on_a_page() -> None:
    told = " ".join(page.read_text("utf-8") for page in [*PAGES, ROOT / "deploy" / "README.md"])
    names = {path.relative_to(FOLDER).parts[0] for path in FILES}
    assert not {name for name in names if f"({name})" not in told and f"/{name}" not in told}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_is_one_page(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) < 60
