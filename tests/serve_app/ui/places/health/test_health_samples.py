"""health_samples.py: no clip that cannot be shown stands in the way of the others."""

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
