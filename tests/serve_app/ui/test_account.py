"""account.py: whoever has entered a wrong key gets his answer all the same."""

from collections.abc import Iterator

import pytest

from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.ui.account import ask, known, visitor, who
from support.fakes.fake_api import ADMIN, create
from support.fakes.fake_world import World
from support.inputs.sounds import tone
from support.local_server import Server


@pytest.fixture(scope="module")
def world() -> World:
    return World(step_s=0.1)


@pytest.fixture(scope="module")
def anybody(world: World) -> Iterator[Client]:
    with Server(create(world)) as url, Client(url) as client:
        yield client


def test_a_key_that_is_not_known_is_said_and_keeps_nobody_from_an_answer(anybody: Client) -> None:
    found, said = ask(anybody.with_key("wrong"), "faults", tone(), "clip.wav")
    assert found.domain == "faults"
    assert "not known here" in said
    assert ask(anybody.with_key(ADMIN), "faults", tone(), "clip.wav")[1] == ""
    with pytest.raises(ServiceError, match="not a recording"):
        ask(anybody.with_key("wrong"), "faults", b"text", "clip.wav")


def test_who_waits_by_himself_is_told_at_once_that_the_service_is_busy(
    anybody: Client, world: World
) -> None:
    world.busy = 1
    with pytest.raises(ServiceError, match="too many clips") as refusal:
        anybody.impatient().predict("faults", tone())
    assert (refusal.value.status, refusal.value.retry_after_s) == (429, 1.0)
    world.busy = 1
    assert anybody.predict("faults", tone()).domain == "faults"


def test_everybody_sees_which_role_he_has(anybody: Client) -> None:
    assert who(anybody) == visitor()
    admin, wrong = who(anybody.with_key(ADMIN)), who(anybody.with_key("wrong"))
    assert (admin.role, admin.chip) == ("admin", "anna · admin")
    assert "<b>anna</b>, admin" in admin.said
    assert wrong.role == "anonymous"
    assert "not known here" in wrong.said
    with Client("http://127.0.0.1:9", key=ADMIN, tries=1) as early:  # the service is starting
        assert not who(early).is_sure


def test_whoever_has_a_quota_is_told_it(anybody: Client, world: World) -> None:
    client = anybody.with_key(ADMIN)
    assert "a minute" not in who(client).said
    world.requests_per_minute = 1200
    assert "1,200 requests with clips a minute are answered." in who(client).said
    world.requests_per_minute = None


def test_what_needs_no_key_is_asked_without_one_that_is_not_known(anybody: Client) -> None:
    admin, told = anybody.with_key(ADMIN), (("X-Visitor", "of-this-start 203.0.113.7"),)
    assert known(anybody) is anybody
    assert known(admin) is admin
    without = known(anybody.with_key("wrong", headers=told))
    assert (without.key, without.link.headers) == ("", told)
    away = Client("http://127.0.0.1:9", key="any", tries=1)  # whose key it is shows later
    assert known(away) is away
