"""The client against a service that keeps the contract, over real HTTP."""

import io
import socket
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import soundfile
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from serve_app.client.answers import Evidence
from serve_app.client.call import Call
from serve_app.client.client import Client
from serve_app.client.connection import ServiceAway, ServiceError
from support.fakes.fake_api import ADMIN, create
from support.fakes.fake_world import World
from support.local_server import Server


@pytest.fixture
def world() -> World:
    return World(step_s=0.01)


@pytest.fixture
def client(world: World) -> Iterator[Client]:
    with Server(create(world)) as url, Client(url) as client:
        yield client


@pytest.fixture
def admin(client: Client) -> Client:
    return client.with_key(ADMIN)


def tone(frequency_hz: float, duration_s: float = 1.0) -> bytes:
    time_s = np.arange(round(16_000 * duration_s)) / 16_000
    file = io.BytesIO()
    soundfile.write(file, 0.3 * np.sin(2 * np.pi * frequency_hz * time_s), 16_000, format="WAV")
    return file.getvalue()


def test_a_clip_comes_back_as_a_label_with_evidence_in_seconds(client: Client) -> None:
    answer = client.predict("faults", tone(60), evidence=True)
    assert answer.label == "electrical"
    assert next(iter(answer.probabilities)) == answer.label
    assert isinstance(answer.evidence, Evidence)
    assert len(answer.evidence.scores) == len(answer.evidence.start_s)
    assert answer.clip.duration_s == pytest.approx(1.0)


def test_a_refusal_carries_the_services_own_sentence_and_request_id(client: Client) -> None:
    with pytest.raises(ServiceError, match="this is not a recording") as refusal:
        client.predict("faults", b"no sound at all")
    assert (refusal.value.status, refusal.value.request_id) == (415, "r-1")


def test_an_unknown_domain_is_named_together_with_the_known_ones(client: Client) -> None:
    with pytest.raises(ServiceError, match="'valves'.*faults, keywords"):
        client.predict("valves", tone(60))


def test_a_prediction_is_tried_again_while_no_replica_is_ready(
    client: Client, world: World
) -> None:
    world.hiccups = 2
    assert client.predict("faults", tone(60)).label == "electrical"


@pytest.mark.parametrize(
    ("body", "repeated"), [(b"Internal Server Error", 1), (b"{}", 1), (b'{"detail": "a bug"}', 0)]
)
def test_a_500_is_tried_again_when_it_is_the_proxys_and_not_the_services(
    body: bytes, repeated: int
) -> None:
    asked: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            asked.append(scope["path"])
            await Response(body, 500)(scope, receive, send)

    with Server(app) as url, Client(url, tries=2) as client, pytest.raises(ServiceError):
        client.status()
    assert len(asked) == 1 + repeated


def test_nobody_at_the_address_is_said_in_words() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with Client(url, tries=2) as client, pytest.raises(ServiceAway, match="does not answer"):
        client.domains()


def test_a_correction_without_a_key_waits_and_with_one_is_learnt(
    client: Client, admin: Client
) -> None:
    waiting = client.correct("faults", tone(60), "fluid")
    counted = admin.correct("faults", tone(70), "fluid")
    assert (waiting.state, counted.state) == ("quarantined", "accepted")
    run = admin.retrain("faults", "teach", "two corrections")
    list(admin.follow("faults", run.id))
    assert client.receipt("faults", waiting.receipt).version is None
    learnt = client.receipt("faults", counted.receipt)
    assert (learnt.before.label, learnt.version) == ("electrical", "2")
    assert learnt.after is not None
    assert learnt.after.label == "fluid"


def test_a_run_is_followed_from_its_start_to_its_end(admin: Client) -> None:
    run = admin.retrain("faults", "full", "nightly")
    kinds = [event.kind for event in admin.follow("faults", run.id)]
    assert (kinds[0], kinds[-1]) == ("queued", "finished")
    assert kinds.count("epoch") == 12
    ended = admin.run("faults", run.id)
    assert ended.result is not None
    assert ended.result.promoted


def test_a_broken_event_stream_is_taken_up_where_it_broke_off(admin: Client, world: World) -> None:
    world.drop_after = 3
    run = admin.retrain("faults", "teach", "flaky network")
    ids = [event.id for event in admin.follow("faults", run.id)]
    assert ids == list(range(1, len(ids) + 1))
    assert world.drop_after == 0


def test_a_run_is_followed_on_when_a_proxy_has_refused_it_for_a_moment(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, lines, refusals = admin.retrain("faults", "teach", ""), Client.lines, [502, 503, 403]

    def refused(self: Client, call: Call[Any]) -> Iterator[str]:
        status = refusals.pop(0)
        if refusals:
            raise ServiceError("the service cannot answer right now", status)
        return lines(self, call)

    monkeypatch.setattr(Client, "lines", refused)
    assert [event.kind for event in admin.follow("faults", run.id)][-1] == "finished"
    refusals[:] = [403, 502]
    with pytest.raises(ServiceError) as refusal:
        list(admin.follow("faults", run.id))
    assert (refusal.value.status, refusals) == (403, [502])


def test_a_rollback_makes_the_previous_version_champion_again(admin: Client) -> None:
    run = admin.retrain("faults", "teach", "better")
    list(admin.follow("faults", run.id))
    assert admin.roll_back("faults").version == "1"
    champions = [row.version for row in admin.models("faults") if "champion" in row.aliases]
    assert champions == ["1"]
    assert admin.promote("faults", "2").version == "2"
    assert admin.status().domains["faults"].agree


def test_an_admin_route_without_a_key_says_which_role_it_needs(client: Client) -> None:
    with pytest.raises(ServiceError, match="role admin"):
        client.retrain("faults", "teach", "curious")
