"""Serve's applications, deployed and looked at by way of Ray's dashboard, as `serve` does."""

import os
from typing import Any


def deploy(config: dict[str, Any]) -> None:
    """Has Serve's controller make what `config` lists, in the form of `deploy/serve.yaml`."""
    _client().deploy_applications(config)


def applications() -> dict[str, tuple[str, str]]:
    """Name -> how an application stands, and Serve's words about it."""
    found = _client().get_serve_details()["applications"]
    return {name: (app["status"], app["message"]) for name, app in found.items()}


def _client() -> Any:
    from ray.dashboard.modules.serve.sdk import ServeSubmissionClient

    return ServeSubmissionClient(os.environ["RAY_API_SERVER_ADDRESS"])
