"""What a service of the load test's own is started with, and how its replicas are fixed."""

import socket
from typing import Any

import yaml

from data.errors import NotReady
from loadtest.own_service import Service, reached
from loadtest.scaling.sampler import serve_replicas
from serve_app.cluster.launch import SERVE_YAML

RESIZE_PATIENCE_S = 120


def resize(service: Service, replicas: int) -> None:
    """Fixes their number; returns when so many run and no other does."""
    with service.ray() as ray:
        service.scale(ray, replicas, replicas)

        def states() -> list[str]:
            return [row["state"] for row in serve_replicas(ray, service.domain)]

        if not reached(lambda: states() == ["RUNNING"] * replicas, RESIZE_PATIENCE_S):
            raise NotReady(
                f"{replicas} replicas did not run within {RESIZE_PATIENCE_S} s: {states()}"
            )


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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
