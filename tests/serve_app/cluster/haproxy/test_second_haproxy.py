"""A killed HAProxy is stood in for until Serve has started the next."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import httpx

from serve_app.cluster.haproxy.haproxy import LAUNCHER
from serve_app.cluster.haproxy.haproxy_start import RUNNING
from serve_app.cluster.haproxy.second_haproxy import SETTLED_S, stand_in
from serve_app.cluster.service_processes import is_running
from support.proxied import answer, proxied
from support.waiting import wait_for


def answers(url: str) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(url, trust_env=False, timeout=2).status_code == 200
    return False


def running(folder: Path) -> int:
    return int((folder / RUNNING).read_text().split()[0])


def test_a_killed_haproxy_is_stood_in_for_until_the_next_one_has_settled(tmp_path: Path) -> None:
    with proxied(tmp_path, answer("200 OK")) as (url, _), stand_in(tmp_path):
        wait_for(lambda: answers(url))
        killed = running(tmp_path)
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda: answers(url))
        assert running(tmp_path) == killed, "nobody has started Serve's own again"
        config = tmp_path / "haproxy.cfg"
        successor = subprocess.Popen([tmp_path / LAUNCHER, "-db", "-f", str(config)])
        try:
            until = time.monotonic() + SETTLED_S + 2
            while time.monotonic() < until:
                assert answers(url), "somebody was turned away while they changed places"
            os.kill(successor.pid, signal.SIGSTOP)  # the stand-in has gone, or it would answer
            with suppress(httpx.TimeoutException):
                httpx.get(url, trust_env=False, timeout=1)
                raise AssertionError("the stand-in still answers")
        finally:
            successor.kill()
            successor.wait()


def test_haproxy_ends_with_what_started_it(tmp_path: Path) -> None:
    with proxied(tmp_path, answer("200 OK")) as (url, _):
        config = tmp_path / "haproxy.cfg"
        starter = subprocess.Popen(
            ["sh", "-c", f'"{tmp_path / LAUNCHER}" -db -f "{config}" & wait']
        )
        first = running(tmp_path)
        wait_for(lambda: running(tmp_path) != first)
        child = running(tmp_path)
        starter.kill()
        starter.wait()
        wait_for(lambda: not is_running(child))
        assert answers(url)


def test_while_the_cluster_starts_anew_it_is_said_when_to_come_back(tmp_path: Path) -> None:
    """The ports of its dead replicas may be another domain's by now."""
    with proxied(tmp_path, answer("200 OK")) as (url, toys):
        os.kill(running(tmp_path), signal.SIGKILL)
        wait_for(lambda: not is_running(running(tmp_path)))
        with stand_in(tmp_path):
            found: list[httpx.Response] = []

            def answered() -> bool:
                with suppress(httpx.HTTPError):
                    found.append(httpx.get(url, trust_env=False, timeout=2))
                return bool(found)

            wait_for(answered)
        assert found[0].status_code == 503
        assert found[0].headers["retry-after"] == "1"
        assert toys[0].requests == []
