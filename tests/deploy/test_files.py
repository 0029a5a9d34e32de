"""Every file that a deployment is made of is one that its reader takes."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PAGES = [*ROOT.glob("*.md"), *DEPLOY.rglob("*.md"), *ROOT.glob("tests/*.md")]
BIN = Path(sys.executable).parent
COMPOSE = DEPLOY / "compose.yaml"


def run(*command: object) -> None:
    found = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=ROOT)
    assert found.returncode == 0, found.stdout + found.stderr


def test_the_image_is_built_by_a_file_without_known_mistakes() -> None:
    run(BIN / "hadolint", DEPLOY / "docker" / "Dockerfile")


def test_the_image_is_given_what_its_dockerfile_copies_and_no_home() -> None:
    kept = (DEPLOY / "docker" / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    lines = (DEPLOY / "docker" / "Dockerfile").read_text("utf-8").splitlines()
    copied = {
        source.partition("/")[0]
        for line in lines
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    }
    assert copied == {line.removeprefix("!") for line in kept if line.startswith("!")}
    assert "*" in kept
    assert all((ROOT / name).exists() for name in copied)


def test_compose_takes_its_file_and_finds_what_that_mounts() -> None:
    schema = "--builtin-schema=vendor.compose-spec"
    run(sys.executable, "-m", "check_jsonschema", schema, COMPOSE)
    services = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]
    assert services["telltale"]["build"]["dockerfile"] == "deploy/docker/Dockerfile"
    watching = {name for name, one in services.items() if one.get("profiles") == ["watch"]}
    assert watching == {"prometheus", "grafana"}


def test_grafana_finds_the_board_and_the_board_its_data() -> None:
    grafana = DEPLOY / "grafana"
    (source,) = provisioned("datasource")["datasources"]
    (boards,) = provisioned("board")["providers"]
    board = json.loads((grafana / "telltale.json").read_text("utf-8"))
    asked = [*board["panels"], *board["templating"]["list"], *board["annotations"]["list"]]
    named = {(each["datasource"]["type"], each["datasource"]["uid"]) for each in asked}
    assert named == {(source["type"], source["uid"])}
    mounted = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]["grafana"]["volumes"]
    assert f"./grafana:{boards['options']['path']}:ro" in mounted


def provisioned(name: str) -> Any:
    path = DEPLOY / "grafana" / "provisioning" / f"{name}.yaml"
    return yaml.safe_load(path.read_text("utf-8"))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    text = (DEPLOY / "telltale.service").read_text("utf-8")
    unit = tmp_path / "telltale.service"
    unit.write_text(text.replace("/srv/telltale/.venv/bin/python", sys.executable))
    run("systemd-analyze", "verify", unit)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_of_what_people_read_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text("utf-8"))
    targets = [name for name in targets if not name.startswith("../../actions/")]  # GitHub's
    assert not [target for target in targets if not (path.parent / target).exists()]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_github_takes_each_workflow_and_no_known_hole_is_in_it(path: Path) -> None:
    schema = "--builtin-schema=vendor.github-workflows"
    run(sys.executable, "-m", "check_jsonschema", schema, path)
    run(BIN / "zizmor", "--offline", "--no-progress", path)
