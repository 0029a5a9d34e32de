"""models_follow.py: what is followed, and what is said when a run may not start."""

from collections.abc import Iterator

import pytest

from serve_app.client.client import Client
from serve_app.client.connection import ServiceAway, ServiceError
from serve_app.client.service_answers import RunEvent
from serve_app.ui.places.models import models_follow as follow_run
from serve_app.ui.places.models.models_follow import Watch
from support.fakes.fake_api import ADMIN, create
from support.fakes.fake_world import World
from support.local_server import Server


@pytest.fixture
def client() -> Iterator[Client]:
    with Server(create(World(step_s=0.3))) as url, Client(url, key=ADMIN) as client:
        yield client


def test_a_start_refused_for_a_run_under_way_says_why_and_follows_that_run(client: Client) -> None:
    run = client.retrain("faults", "teach", "by a colleague")
    watch = Watch()
    assert "under way" in follow_run.order(client, "faults", "teach", "", watch)
    assert watch.run_id == run.id
    assert "by a colleague" in next(follow_run.follow(client, "faults", watch))


def test_a_start_refused_for_want_of_a_key_says_so(client: Client) -> None:
    watch = Watch()
    told = follow_run.order(client.with_key(""), "faults", "teach", "", watch)
    assert "role admin" in told
    assert "Bearer" not in told
    assert watch.run_id == ""


def test_a_run_that_began_elsewhere_is_noticed_once(client: Client) -> None:
    watch = Watch()
    client.retrain("faults", "teach", "")
    running = client.status().domains["faults"].running
    assert not follow_run.notice(client.with_key(""), "faults", running, watch)
    assert follow_run.notice(client, "faults", running, watch)
    assert watch.run_id == running[0].id
    watch.run_id = "an older one that was chosen"
    assert not follow_run.notice(client, "faults", running, watch)


def test_a_run_is_followed_on_after_an_outage_and_anew_after_a_refusal(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, follow = client.retrain("faults", "teach", ""), Client.follow
    errors: list[ServiceError] = []

    def broken(self: Client, domain: str, run_id: str) -> Iterator[RunEvent]:
        for event in follow(self, domain, run_id):
            yield event
            if errors:
                raise errors.pop()

    monkeypatch.setattr(Client, "follow", broken)
    monkeypatch.setattr(follow_run, "LOOK_AGAIN_S", 0.0)
    watch, errors[:] = Watch(run_id=run.id), [ServiceAway("nobody answers")]
    shown = list(follow_run.follow(client, "faults", watch))
    assert "asks again by itself" in shown[1]
    assert "tt-progress" in shown[2]  # what was on the page comes back at once
    assert "from the order to the end" in shown[-1]
    assert list(follow_run.follow(client, "faults", watch)) == []
    watch, errors[:] = Watch(run_id=run.id), [ServiceError("not for you", 403)]
    *_, last = follow_run.follow(client, "faults", watch)
    assert "Not for you" in last
    assert "from the order to the end" in list(follow_run.follow(client, "faults", watch))[-1]


def test_the_newest_run_is_shown_where_none_is_under_way(client: Client) -> None:
    assert follow_run.current(client, "faults", "") == ""
    run = client.retrain("faults", "teach", "")
    *_, last = client.follow("faults", run.id)
    assert last.kind == "finished"
    assert follow_run.current(client, "faults", "") == run.id
    assert follow_run.current(client, "faults", "another") == "another"
    *_, shown = follow_run.follow(client, "faults", Watch(run_id=run.id))
    assert "from the order to the end" in shown
    assert "in all" not in shown
