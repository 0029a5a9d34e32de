"""Handles that report nothing to the autoscaler.

Requests reach replicas by HAProxy, and replicas tell the controller how many they have. A handle
tells it of those that it sent itself; here that is a question a second, or none. Serve has no
setting for that: seven wakes and two calls of the controller a second, for each handle.
"""


def keep_quiet() -> None:
    """Call before the first handle of this process is used: to each, what it asks is not scaled."""
    from ray.serve._private.router import RouterMetricsManager

    RouterMetricsManager.autoscaling_config = None
