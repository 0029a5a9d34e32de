"""A service of the load test's own: a home and a port of its own, gone when it is over."""

import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from data.errors import NotReady
from data.home import home_from_env
from loadtest.machine.processes import environment_of
from loadtest.own_service import Service, hold_replicas, running
from loadtest.scaling.sampler import Target, domain_status, serve_replicas
from serve_app.cluster.launch import SERVE_YAML, serve_config
from serve_app.settings import Settings

RESIZE_PATIENCE_S = 120


@dataclass(frozen=True)
class Hosted:
    target: Target
    settings: Settings
    config: Path

    def resize(self, replicas: int) -> None:
        """Fixes their number; returns when so many run and no other does."""
        deployed = serve_config(self.settings, self.config)
        hold_replicas(deployed, replicas)
        with self.target.serve_client() as client:
            client.put("/api/serve/applications/", json=deployed).raise_for_status()
            deadline = time.monotonic() + RESIZE_PATIENCE_S
            while time.monotonic() < deadline:
                states = [row["state"] for row in serve_replicas(client, self.target)]
                if states == ["RUNNING"] * replicas:
                    return
                time.sleep(0.3)
        raise NotReady(f"{replicas} replicas did not run within {RESIZE_PATIENCE_S} s: {states}")


@contextmanager
def hosted(out: Path, domain: str, wait_s: float) -> Iterator[Hosted]:
    """`wait_s` as in `configuration`; its console and serve.yaml are left in `out`. Raises
    NotReady with its last words."""
    with tempfile.TemporaryDirectory(prefix="telltale-scaling-") as name:
        service = Service(Path(name).resolve(), out.resolve(), _free_port(), domain)
        with running(service, configuration(domain, wait_s)):
            place = home_from_env({"TELLTALE_HOME": name})
            settings = Settings(place, "127.0.0.1", service.port, (domain,), service.key)
            yield Hosted(_target(service), settings, service.folder / "serve.yaml")


def configuration(domain: str, wait_s: float = 0.0) -> dict[str, Any]:
    """deploy/serve.yaml with this one domain; above 0, on replicas that wait before a batch."""
    config: dict[str, Any] = yaml.safe_load(SERVE_YAML.read_text(encoding="utf-8"))
    others = [app for app in config["applications"] if "domain" not in app.get("args", {})]
    domains = [app for app in config["applications"] if "domain" in app.get("args", {})]
    app = next((app for app in domains if app["name"] == domain), domains[0])
    app["name"], app["args"] = domain, {"domain": domain}
    if wait_s > 0:
        app["import_path"] = "loadtest.scaling.synthetic:domain"
        app["args"]["wait_s"] = wait_s
    return {**config, "applications": [*others, app]}


def autoscaling_in_words(domain: str) -> str:
    """What deploy/serve.yaml says of the domain's replicas."""
    app = configuration(domain)["applications"][-1]
    rules = app["deployments"][0]["autoscaling_config"]
    return (
        f"{rules['min_replicas']} to {rules['max_replicas']} replicas, one for "
        f"{rules['target_ongoing_requests']} requests under way, counted over "
        f"{rules['look_back_period_s']:g} s; up after {rules['upscale_delay_s']:g} s, down after "
        f"{rules['downscale_delay_s']:g} s"
    )


def _target(service: Service) -> Target:
    """The launcher took a free port for Ray's dashboard; its replicas know which."""
    token = (service.home / "ray-token").read_text(encoding="utf-8").strip()
    target = Target(service.url, service.domain, service.key)
    with target.client() as client:
        for _ in range(100):  # the curator asks the replicas once a second
            for row in domain_status(client, target.domain).get("replicas", []):
                address = environment_of(int(row["pid"]), "RAY_API_SERVER_ADDRESS") or ""
                return replace(target, serve_url=address, serve_token=token)
            time.sleep(0.2)
    raise NotReady("the service is up, but /status does not name its replicas")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
