"""The composition root: builds the Serve applications that deploy/serve.yaml names.

Replicas read the settings from their own environment: nothing secret is bound into a deployment,
where Ray would keep and show it.
"""

from typing import Any

from ray import serve
from ray.serve import Application
from ray.serve.config import BackpressureConfig

from serve_app.settings import DEPLOYMENT

# Where the registry, the Jobs API and the proxy are. Ray gives every head this resource, of 1.
ON_HEAD = {"node:__internal_head__": 0.001}


def domain(args: dict[str, Any]) -> Application:
    """A domain's replicas, in which the domains of `guests` are served as well."""
    from serve_app.replica_process import ReplicaProcess

    return bound(ReplicaProcess, args["domain"], *args.get("guests", ()))


def bound(replica: type, *arguments: Any) -> Application:
    """Replicas that answer clips, whatever class they are of."""
    deployment = serve.deployment(
        replica,
        name=DEPLOYMENT,
        backpressure_config=BackpressureConfig(status_code=429, retry_after_s=1),
    )
    return deployment.bind(*arguments)


def curator(args: dict[str, Any]) -> Application:
    from serve_app.control.curator import Curator

    deployment = serve.deployment(
        Curator,
        name="Curator",
        num_replicas=1,
        max_ongoing_requests=100,
        health_check_period_s=2,
        ray_actor_options={"num_cpus": 0.1, "resources": ON_HEAD},
    )
    return deployment.bind(args.get("spares", 0), args.get("applications", {}))
