"""The variables by which Ray is set up that it does not promise to keep, and what each is for.

Ray reads them when its processes start. Figures: DECISIONS.md.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SOCKET = "RAY_SERVE_HAPROXY_SOCKET_PATH"
STATISTICS = "RAY_SERVE_HAPROXY_STATS_PORT"
SETTINGS: Mapping[str, str] = {
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_SERVE_USE_GRPC_BY_DEFAULT": "0",  # see inner_port.py
    "RAY_SERVE_HAPROXY_NBTHREAD": "1",
    "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
    "RAY_SERVE_HAPROXY_RETRY_ON": "conn-failure empty-response",
    # One is for a dead server that HAProxy has not noticed yet. More would let a clip that kills
    # replicas kill more of them.
    "RAY_SERVE_HAPROXY_RETRIES": "2",
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "5",
    # A busy machine takes longer than the 5 s after which Serve would kill its proxy's actor.
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "90",
    # Serve looks this often whether HAProxy answers, and has it back after three misses.
    "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "2",
    "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "5",
    "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.5",
    # HAProxy of a new manager comes up beside the one that stands in: second_haproxy.py.
    "SERVE_SOCKET_REUSE_PORT_ENABLED": "1",
    "RAY_ROTATION_MAX_BYTES": str(8 * 1024**2),  # of each log, and as many old ones
    "RAY_ROTATION_BACKUP_COUNT": "1",
    # Ray would run replicas at nice 15, behind everything else on the machine, training included.
    "RAY_worker_niceness": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_metrics_report_interval_ms": "5000",
    # Each replica would hand its figures to Ray ten times a second, whether anybody asks or not.
    "RAY_SERVE_METRICS_EXPORT_INTERVAL_MS": "1000",
    # Each replica would count what it holds five times a second, and the fallback proxy for each
    # domain; the autoscaler takes the mean of a second.
    "RAY_SERVE_AUTOSCALING_METRIC_RECORD_INTERVAL_FACTOR": "0.5",
    # Workers that stand by import what a replica needs: serve_app/cluster/standby.py.
    "RAY_preload_python_modules": "serve_app.cluster.standby_imports",
    # Ray's own idle workers, one a core, would be taken before those, and have imported nothing.
    "RAY_prestart_worker_first_driver": "0",
}
# On one machine Ray's processes need to be reached by nobody else; Ray takes 127.0.0.1 for every
# process's address when told that it cannot form clusters, as where firewalls ask people.
ON_LOOPBACK: Mapping[str, str] = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


@dataclass(frozen=True)
class Ports:
    """Of one service. Serve binds the fallback proxy's with SO_REUSEPORT: two services on one would
    get each other's requests. `gcs` is 0 for any that is free; `replicas` are one after another."""

    gcs: int
    metrics: int
    statistics: int
    fallback_http: int
    fallback_grpc: int
    replicas: range

    def environment(self) -> dict[str, str]:
        return {
            "RAY_GCS_SERVER_PORT": str(self.gcs),
            "RAY_SERVE_HAPROXY_METRICS_PORT": str(self.metrics),
            STATISTICS: str(self.statistics),
            "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(self.fallback_http),
            "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": str(self.fallback_grpc),
            "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(self.replicas.start),
            "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(self.replicas.stop - 1),
        }


def haproxy_socket() -> str:
    """Where HAProxy can be asked; empty outside of a service."""
    return os.environ.get(SOCKET, "")


def haproxy_environment(
    folder: Path, binary: Path, buffer_bytes: int, connections: int
) -> dict[str, str]:
    """What Serve starts as HAProxy, with its files in `folder`."""
    return {
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(binary),
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": f"{folder}/haproxy.cfg",
        SOCKET: f"{folder}/admin.sock",
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folder),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": f"{folder}/server-state",
        "RAY_SERVE_HAPROXY_TUNE_BUFSIZE": str(buffer_bytes),
        "RAY_SERVE_HAPROXY_MAXCONN": str(connections),
    }
