"""What the real HAProxy does with our lines, between a client and two toy replicas."""

import select
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import httpx
import pytest

from serve_app.admission import MOST
from serve_app.haproxy import BUFFER_BYTES, ENVIRONMENT, write_launcher

Behaviour = Callable[[socket.socket, bytes], None]
CLIP = b"c" * 160_000


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
        with connection:
            received = b""
            while b"\r\n\r\n" not in received:
                received += connection.recv(65536) or b"\r\n\r\n"
            head, _, body = received.partition(b"\r\n\r\n")
            length = [row for row in head.lower().split(b"\r\n") if b"content-length:" in row]
            while length and len(body) < int(length[0].split(b":")[1]):
                body += connection.recv(65536)
            if head:
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


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def proxied(
    folder: Path, *behaviours: Behaviour, backup: int = 0
) -> Iterator[tuple[str, list[Toy]]]:
    """HAProxy as Serve starts it, with a configuration of the same shape."""
    with ExitStack() as stack:
        toys = [stack.enter_context(closing(Toy(behave))) for behave in behaviours]
        port = free_port()
        servers = "".join(f"    server s{i} 127.0.0.1:{toy.port}\n" for i, toy in enumerate(toys))
        servers += f"    server fallback 127.0.0.1:{backup} check backup\n" if backup else ""
        metrics, stats = (free_port() for _ in range(2))
        config = folder / "haproxy.cfg"
        config.write_text(
            f"global\n    tune.bufsize {BUFFER_BYTES}\n    nbthread 1\n"
            "defaults\n    mode http\n    timeout connect 5s\n    timeout client 60s\n"
            "    timeout server 60s\n    option redispatch 1\n    errorfile 503 /nowhere\n"
            f"    retry-on {ENVIRONMENT['RAY_SERVE_HAPROXY_RETRY_ON']}\n"
            f"    retries {ENVIRONMENT['RAY_SERVE_HAPROXY_RETRIES']}\n    balance roundrobin\n"
            f"frontend prometheus\n    bind :{metrics}\n"
            f"frontend http_frontend\n    bind 127.0.0.1:{port}\n"
            "    use_backend default_backend if { path /nowhere }\n    default_backend all\n"
            "backend default_backend\n    http-request return status 404 content-type text/plain "
            f'lf-string "Path not found"\nbackend all\n{servers}'
            f"listen stats\n    bind *:{stats}\n    stats enable\n"
        )
        for _ in range(2):  # started again, as at every change of replicas: edited once
            process = subprocess.Popen([write_launcher(folder), "-db", "-f", str(config)])
            stack.callback(lambda ended=process: (ended.kill(), ended.wait()))
            _wait_for(port, process)
            if config.read_text().count("acl telltale_predict") != 1:
                raise AssertionError(config.read_text())
            if _ == 0:
                process.kill()
                process.wait()
        yield f"http://127.0.0.1:{port}", toys


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("HAProxy did not start")


@pytest.mark.parametrize("path", ["/predict", "/api/predict", "/keywords/predict"])
def test_a_prediction_whose_replica_dies_is_answered_by_another(tmp_path: Path, path: str) -> None:
    with proxied(tmp_path, die, answer("200 OK")) as (url, toys):
        for _ in range(4):
            found = httpx.post(url + path, files={"file": ("a.wav", CLIP)})
            assert found.status_code == 200
            assert int(found.text) > len(CLIP)
        assert len(toys[0].requests) > 0


@pytest.mark.parametrize("path", ["/feedback", "/upload", "/retrain", "/batch-predict"])
def test_nothing_else_that_is_posted_is_ever_repeated(tmp_path: Path, path: str) -> None:
    with proxied(tmp_path, die, die) as (url, toys):
        httpx.post(url + path, files={"file": ("a.wav", CLIP)})
        assert sum(len(toy.requests) for toy in toys) == 1


def test_a_clip_larger_than_the_buffer_still_arrives_whole(tmp_path: Path) -> None:
    with proxied(tmp_path, answer("200 OK")) as (url, _):
        found = httpx.post(f"{url}/predict", content=CLIP * 10)
        assert found.text == str(len(CLIP) * 10)


def test_one_who_is_refused_often_is_refused_at_the_door_and_others_are_not(
    tmp_path: Path,
) -> None:
    with (
        proxied(tmp_path, answer("429 Too Many Requests")) as (url, toys),
        httpx.Client() as client,
    ):
        greedy = {"Authorization": "Bearer greedy"}
        found = [client.post(f"{url}/predict", headers=greedy) for _ in range(300)]
        assert {reply.status_code for reply in found} == {429}
        at_the_door = [r for r in found if "problem+json" in r.headers.get("content-type", "")]
        assert at_the_door
        assert at_the_door[0].headers["retry-after"] == "1"
        assert at_the_door[0].json()["status"] == 429
        before = len(toys[0].requests)
        for _ in range(10):
            client.post(f"{url}/predict", headers={"Authorization": "Bearer modest"})
            client.get(f"{url}/status", headers=greedy)
        assert len(toys[0].requests) == before + 20


def test_where_no_replica_can_be_reached_it_says_so_in_words(tmp_path: Path) -> None:
    with proxied(tmp_path, die) as (url, _):
        found = httpx.get(f"{url}/status")
        assert found.status_code == found.json()["status"] == 502
        assert found.headers["content-type"] == "application/problem+json"
        assert found.headers["retry-after"] == "1"


def test_the_replica_learns_who_asks(tmp_path: Path) -> None:
    with proxied(tmp_path, answer("200 OK")) as (url, toys):
        httpx.post(f"{url}/predict", content=b"clip", headers={"X-Forwarded-For": "6.6.6.6"})
        assert b"x-forwarded-for: 127.0.0.1" in toys[0].requests[0].lower()
        assert b"6.6.6.6" not in toys[0].requests[0]


def test_a_replica_is_never_sent_more_than_it_lets_in(tmp_path: Path) -> None:
    over = threading.Event()

    def stall(connection: socket.socket, body: bytes) -> None:
        over.wait(30)

    with proxied(tmp_path, stall) as (url, toys), ExitStack() as stack:
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        clients = [stack.enter_context(socket.create_connection(address)) for _ in range(MOST + 20)]
        for client in clients:
            client.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nclip")
        refused = []
        deadline = time.monotonic() + 10
        while len(refused) < 20 and time.monotonic() < deadline:
            answered, _, _ = select.select(clients, [], [], 1)
            refused += [client.recv(4000) for client in answered]
            clients = [client for client in clients if client not in answered]
        assert len(refused) == 20
        modest = {"Authorization": "Bearer modest"}
        waiting = threading.Thread(
            target=lambda: httpx.post(f"{url}/predict", content=b"clip", headers=modest, timeout=30)
        )
        waiting.start()
        assert all(b" 429 " in reply and b"retry-after: 1" in reply for reply in refused)
        deadline = time.monotonic() + 10
        while len(toys[0].requests) < MOST + 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(toys[0].requests) == MOST + 1
        assert b"bearer modest" in toys[0].requests[-1].lower()
        over.set()
        waiting.join()


def test_two_keys_at_once_are_refused(tmp_path: Path) -> None:
    with proxied(tmp_path, answer("200 OK")) as (url, toys):
        keys = [("Authorization", "Bearer a"), ("Authorization", "Bearer b")]
        found = httpx.post(f"{url}/predict", content=b"clip", headers=keys)
        assert found.status_code == 400
        assert "one Authorization header" in found.json()["detail"]
        assert toys[0].requests == []


def test_a_path_in_disguise_is_a_prediction_too(tmp_path: Path) -> None:
    with proxied(tmp_path, die, answer("200 OK")) as (url, _):
        for _ in range(4):
            assert httpx.post(f"{url}/%70redict", content=CLIP).status_code == 200


def test_without_a_replica_haproxy_itself_says_when_to_come_back(tmp_path: Path) -> None:
    """Serve's proxy, a backup of each of its backends, may be another service's."""
    foreign = Toy(answer("404 Not Found"))
    with closing(foreign), proxied(tmp_path, backup=foreign.port) as (url, _):
        for path in ("/predict", "/nowhere"):
            found = httpx.get(f"{url}{path}", trust_env=False)
            assert found.status_code == 503
            assert found.headers["content-type"] == "application/problem+json"
            assert found.headers["retry-after"] == "1"
        assert foreign.requests == []


def test_what_serve_binds_everywhere_is_bound_to_the_services_host(tmp_path: Path) -> None:
    with proxied(tmp_path, answer("200 OK")):
        text = (tmp_path / "haproxy.cfg").read_text(encoding="utf-8")
    bound = [line.split()[1].rpartition(":")[0] for line in text.splitlines() if " bind " in line]
    assert bound == ["127.0.0.1"] * 3
