"""The real HAProxy between a client and toy replicas, started and configured as Serve does it."""

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from serve_app.cluster.haproxy.haproxy import (
    BUFFER_BYTES,
    MAX_CONNECTIONS,
    connections,
    write_launcher,
)
from serve_app.cluster.ray_internals.environment import SETTINGS
from serve_app.cluster.ray_internals.haproxy_template import rendered
from serve_app.settings import NO_QUOTAS, Quotas
from support.service import free_port

Behaviour = Callable[[socket.socket, bytes], None]
HEALTH = b"GET /-/healthz "  # by which HAProxy looks whether a replica lives


class Toy:
    """A replica that reads a request and then does as it is told."""

    def __init__(self, behave: Behaviour) -> None:
        self.behave = behave
        self.requests: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(ConnectionError):  # whom HAProxy has given up
            received = b""
            while b"\r\n\r\n" not in received:
                received += connection.recv(65536) or b"\r\n\r\n"
            head, _, body = received.partition(b"\r\n\r\n")
            length = [row for row in head.lower().split(b"\r\n") if b"content-length:" in row]
            while length and len(body) < int(length[0].split(b":")[1]):
                piece = connection.recv(65536)
                if not piece:
                    return
                body += piece
            if head.startswith(HEALTH):
                answer("200 OK")(connection, b"")
            elif head:
                self.requests.append(head)
                self.behave(connection, body)

    def close(self) -> None:
        self._listener.close()


def answer(status: str) -> Behaviour:
    def behave(connection: socket.socket, body: bytes) -> None:
        text = str(len(body)).encode()
        head = f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {len(text)}\r\n\r\n"
        connection.sendall(head.encode() + text)

    return behave


def die(connection: socket.socket, body: bytes) -> None:
    """As after kill -9: the connection ends without an answer."""


@contextmanager
def proxied(
    folder: Path,
    *behaviours: Behaviour,
    maxconn: int = MAX_CONNECTIONS,
    hosts: tuple[str, ...] = (),
    backup: int = 1,
    quotas: Quotas = NO_QUOTAS,
    proxies: tuple[str, ...] = (),
) -> Iterator[tuple[str, list[Toy]]]:
    """HAProxy as Serve starts it, with the configuration that Serve writes for one application,
    and one path for which no application is there."""
    with ExitStack() as stack:
        toys = [stack.enter_context(closing(Toy(behave))) for behave in behaviours]
        port = free_port()
        text = rendered(
            folder,
            "127.0.0.1",
            port,
            [toy.port for toy in toys],
            backup,
            maxconn=min(maxconn, connections()),
            bufsize=BUFFER_BYTES,
            nbthread=1,
            metrics_port=free_port(),
            stats_port=free_port(),
            metrics_enabled=False,
            enable_so_reuseport=True,
            retry_on=SETTINGS["RAY_SERVE_HAPROXY_RETRY_ON"],
            retries=int(SETTINGS["RAY_SERVE_HAPROXY_RETRIES"]),
        )
        config = folder / "haproxy.cfg"
        nowhere = "    use_backend default_backend if { path /nowhere }\n"
        config.write_text(text.replace("    use_backend ", f"{nowhere}    use_backend ", 1))
        for take in range(2):  # started again, as at every change of replicas: edited once
            launcher = write_launcher(folder, hosts, quotas=quotas, proxies=proxies)
            process = subprocess.Popen([launcher, "-db", "-f", str(config)])
            stack.callback(_end, process)
            _wait_for(port, process)
            if config.read_text().count("acl telltale_predict") != 1:
                raise AssertionError(config.read_text())
            if take == 0:
                _end(process)
        yield f"http://127.0.0.1:{port}", toys


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("HAProxy did not start")
