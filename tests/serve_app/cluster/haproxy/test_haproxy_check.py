"""A Ray whose HAProxy would run without our lines is not started with."""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.serve._private import haproxy as serve_haproxy
from ray.serve.config import HTTPOptions

from serve_app.cluster import launch
from serve_app.cluster.haproxy import haproxy
from serve_app.cluster.haproxy.haproxy_check import checking
from serve_app.cluster.haproxy.haproxy_start import RUNNING
from serve_app.settings import settings_from_env
from support.service import free_port

OTHER_TEMPLATE = """
from ray.serve._private import haproxy, haproxy_templates
haproxy_templates.HAPROXY_CONFIG_TEMPLATE = haproxy.HAPROXY_CONFIG_TEMPLATE = (
    haproxy.HAPROXY_CONFIG_TEMPLATE.replace("frontend http_frontend", "frontend entrance")
)
"""


@pytest.fixture
def other_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that are started find a Ray that calls HAProxy's frontend otherwise."""
    (tmp_path / "sitecustomize.py").write_text(OTHER_TEMPLATE, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")


def test_a_ray_that_takes_our_lines_is_started_with(tmp_path: Path) -> None:
    haproxy.write_launcher(tmp_path, ())
    with checking(tmp_path, "127.0.0.1", 8000) as refuse_unguarded:
        refuse_unguarded()


def test_a_start_that_would_be_unguarded_ends_in_one_sentence(
    other_ray: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    @contextmanager
    def node(**_: Any) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(gcs_address="127.0.0.1:6379")

    def deploy(config: object) -> None:
        raise AssertionError("Serve was deployed")

    reading, writing = os.pipe()
    for name, stands_for in {"die_with": id, "stop_when_asked": list, "deploy": deploy}.items():
        monkeypatch.setattr(launch, name, stands_for)
    monkeypatch.setattr(launch, "ray_node", node)
    monkeypatch.setattr(sys, "argv", ["launch", "--up", str(writing), "--parent", "1"])
    monkeypatch.setattr(launch, "refuse_taken_port", id)
    monkeypatch.setattr(launch, "scratch_folder", lambda settings: tmp_path)
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path))
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://127.0.0.1:8265")
    haproxy.write_launcher(tmp_path, settings_from_env().names)
    assert launch.main() == 1
    said = capsys.readouterr().err.strip()
    assert said.count("\n") == 0
    assert said.startswith("telltale: HAProxy would run without the lines that guard the service: ")
    assert "no one `frontend http_frontend`" in said
    os.close(writing)
    assert os.read(reading, 1) == b"", "it said that it was up"
    os.close(reading)


def test_serve_starts_and_reloads_haproxy_by_our_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = haproxy.write_launcher(tmp_path, ())
    monkeypatch.setattr(serve_haproxy, "RAY_SERVE_HAPROXY_BINARY_PATH", str(launcher))
    options = serve_haproxy.HAProxyConfig(
        http_options=HTTPOptions(host="127.0.0.1", port=free_port()),
        metrics_port=free_port(),
        stats_port=free_port(),
        socket_path=str(tmp_path / "admin.sock"),
        server_state_base=str(tmp_path),
        server_state_file=str(tmp_path / "server-state"),
        maxconn=100,
        metrics_enabled=False,
        enable_so_reuseport=True,
    )

    async def served() -> list[tuple[int, int]]:
        api = serve_haproxy.HAProxyApi(options, {}, str(tmp_path / "haproxy.cfg"))
        await api.start()
        found = [(running(), api._proc.pid)]
        await api.reload()
        found.append((running(), api._proc.pid))
        await api.stop()
        return found

    def running() -> int:
        return int((tmp_path / RUNNING).read_text().split()[0])

    (first, its_own), (second, its_next) = asyncio.run(served())
    assert (first, second) == (its_own, its_next)
    assert first != second
    assert "acl telltale_predict" in (tmp_path / "haproxy.cfg").read_text()
