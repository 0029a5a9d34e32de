"""Handles that report nothing to the autoscaler.

Requests reach replicas by HAProxy, and replicas tell the controller how many they have. A handle
tells it of those that it sent itself; here that is a question a second, or none. Serve has no
setting for that: seven wakes and two calls of the controller a second, for each handle.
"""

from typing import Any


def keep_quiet() -> None:
    """Call before the first handle of this process is used."""
    from ray.serve._private.router import RouterMetricsManager

    RouterMetricsManager.update_deployment_config = _without_reports


def _without_reports(self: Any, deployment_config: Any, curr_num_replicas: int) -> None:
    self._deployment_config = deployment_config
