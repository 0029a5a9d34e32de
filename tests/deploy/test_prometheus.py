"""deploy/prometheus, deploy/grafana: every rule and panel asks for what /metrics really tells.

The last test, `make test-deploy`, asks Debian's Prometheus about a service that runs.
"""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from data.install_paths import FILES
from serve_app.replica.series import FAMILIES, FAMILY_OF
from support.inputs.sounds import tone
from support.service import free_port, started, wait_until_registered

DEPLOY = FILES / "deploy"
SELECTOR = re.compile(r"(telltale_\w+)(?:\{([^}]*)\})?")
RAYS_OWN = "ray_node_mem_used"
WAIT_S = 120.0


def rules() -> dict[str, str]:
    found = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text("utf-8"))
    return {rule["alert"]: rule["expr"] for group in found["groups"] for rule in group["rules"]}


def board() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEPLOY / "grafana" / "telltale.json").read_text("utf-8"))
    return found


def panels() -> dict[str, str]:
    return {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in board()["panels"]
        for target in panel["targets"]
    }


EXPRESSIONS = rules() | panels() | {n["name"]: n["expr"] for n in board()["annotations"]["list"]}


@pytest.mark.parametrize("title", EXPRESSIONS)
def test_an_expression_names_declared_series_and_their_labels(title: str) -> None:
    asked = SELECTOR.findall(EXPRESSIONS[title])
    assert asked
    for name, selected in asked:
        assert name in FAMILY_OF
        labels = set(re.findall(r"(\w+)(?:=~?|!=)", selected))
        assert labels <= {*FAMILIES[FAMILY_OF[name]].labels, "le"}
    grouped = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", EXPRESSIONS[title]))))
    assert grouped <= {
        "le",
        *(each for name, _ in asked for each in FAMILIES[FAMILY_OF[name]].labels),
    }


def test_every_declared_series_is_on_the_board_or_in_a_rule() -> None:
    asked = {FAMILY_OF[name] for text in EXPRESSIONS.values() for name, _ in SELECTOR.findall(text)}
    assert asked == set(FAMILIES)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address; it looks each second at a service that has been asked for a while."""
    if not shutil.which("prometheus"):
        pytest.skip("needs Prometheus: apt-get install prometheus")
    folder = tmp_path_factory.mktemp("watched")
    shutil.copy(DEPLOY / "prometheus" / "alerts.yml", folder)
    (folder / "home").mkdir()
    with started(folder / "home", TELLTALE_DOMAINS="faults") as service:
        config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8"))
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        telltale, ray = config["scrape_configs"]
        telltale["static_configs"] = [{"targets": [service.url.removeprefix("http://")]}]
        ray["scrape_interval"] = ray["scrape_timeout"] = "10s"  # a busy machine's agents are slow
        ray["file_sd_configs"] = [{"files": [str(folder / "home" / "ray-targets.json")]}]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        subprocess.run(["promtool", "check", "config", "prometheus.yml"], cwd=folder, check=True)
        address = f"127.0.0.1:{free_port()}"
        # Debian's own defaults are of the whole machine.
        own = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=error"]
        command = ["prometheus", f"--web.listen-address={address}", *own]
        process = subprocess.Popen(command, cwd=folder)
        try:
            wait_until_registered(service)
            with service.client(service.admin_key) as admin:
                for _ in range(20):
                    admin.post("/predict", files={"file": tone()}).raise_for_status()
                    time.sleep(0.5)
            yield f"http://{address}"
        finally:
            process.terminate()
            process.wait()


@pytest.mark.deploy
@pytest.mark.parametrize("title", [*EXPRESSIONS, "Ray's own"])
def test_a_live_service_has_data_for_every_expression(prometheus: str, title: str) -> None:
    """Of a rule, whether its condition holds, by `bool`; of one that something is absent, whether
    it is there."""
    query = EXPRESSIONS.get(title, RAYS_OWN)
    query = re.sub(r" (>|<|==) ", r" \1 bool ", query).replace("absent(", "(")
    query = query.replace("$__rate_interval", "30s").replace("$domain", ".*")
    deadline = time.monotonic() + WAIT_S
    rows: list[Any] = []
    while not rows and time.monotonic() < deadline:
        asked = {"query": query}
        found = httpx.get(f"{prometheus}/api/v1/query", params=asked, trust_env=False).json()
        assert found["status"] == "success", found
        rows = found["data"]["result"]
        time.sleep(0.5)
    assert rows, query
