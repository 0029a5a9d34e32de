"""health_samples.py: one clip of a label at a time, and none stands in the way of the others."""

from collections.abc import Iterator

import pytest

from serve_app.client.answers import DomainInfo
from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.ui.places.health import health_samples
from support.fakes.fake_api import ADMIN, create
from support.fakes.fake_clips import keep
from support.fakes.fake_world import World
from support.local_server import Server


@pytest.fixture
def world() -> World:
    return World(step_s=0.1)


@pytest.fixture
def client(world: World) -> Iterator[Client]:
    with Server(create(world)) as url, Client(url, key=ADMIN) as client:
        yield client


@pytest.fixture
def domain(client: Client) -> DomainInfo:
    return next(domain for domain in client.domains() if domain.name == "keywords")


@pytest.mark.parametrize("status", [404, 422, 429, 503])
def test_a_clip_that_cannot_be_fetched_is_said_and_others_can_be_chosen(
    world: World,
    client: Client,
    domain: DomainInfo,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keep(world, "keywords", "zero", state="accepted")

    def refused(*_: object) -> bytes:
        raise ServiceError("the clip is damaged", status)

    monkeypatch.setattr(Client, "content", refused)
    shown = health_samples.shown(client, domain)
    assert "The clip is damaged." in shown
    assert 'data-label="two"' in shown


def test_it_begins_with_a_label_that_has_a_clip_and_keeps_to_the_one_that_is_chosen(
    world: World, client: Client, domain: DomainInfo
) -> None:
    assert "No clip of zero is kept yet" in health_samples.shown(client, domain)
    keep(world, "keywords", "two", state="accepted")
    shown = health_samples.shown(client, domain)
    assert 'data-label="two" aria-pressed="true"' in shown
    assert "tt-cepstrum" in shown
    assert "No clip of nine is kept yet" in health_samples.shown(client, domain, "nine")
