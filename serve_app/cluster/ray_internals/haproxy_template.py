"""Serve's configuration of HAProxy as Serve would write it: its real template, rendered."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from serve_app.cluster.ray_internals.serve_without_pandas import serve_without_pandas


def rendered(
    folder: Path, host: str, port: int, replicas: Sequence[int], fallback: int, **changed: Any
) -> str:
    """What Serve would write in this process's environment for one application at `/`, whose
    replicas, and Serve's own proxy behind them, listen at these ports of 127.0.0.1.

    `changed` are fields of its HAProxyConfig; its files are left in `folder`."""
    serve_without_pandas()
    from ray.serve._private import haproxy
    from ray.serve.config import HTTPOptions

    servers = [haproxy.ServerConfig(f"replica-{at}", "127.0.0.1", at) for at in replicas]
    backup = haproxy.ServerConfig("fallback", "127.0.0.1", fallback)
    app = haproxy.BackendConfig("http-app", "/", servers=servers, fallback_server=backup)
    options = haproxy.HAProxyConfig(
        http_options=HTTPOptions(host=host, port=port),
        has_received_routes=True,
        has_received_servers=True,
        socket_path=str(folder / "admin.sock"),
        server_state_base=str(folder),
        server_state_file=str(folder / "server-state"),
        **changed,
    )
    config = folder / "haproxy.cfg"
    haproxy.HAProxyApi(options, {app.name: app}, str(config))._generate_config_file_internal()
    return config.read_text(encoding="utf-8")
