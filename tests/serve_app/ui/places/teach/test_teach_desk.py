"""teach_desk.py: what is decided of which clip, and what a list that changed meanwhile does."""

from collections.abc import Iterator

import pytest

from serve_app.client.client import Client
from serve_app.ui.places.teach import teach_desk
from serve_app.ui.places.teach.teach_desk import Desk
from support.fakes.fake_api import ADMIN, create
from support.fakes.fake_clips import answer, keep
from support.fakes.fake_world import World
from support.local_server import Server


@pytest.fixture
def world() -> World:
    return World(step_s=0.1)


@pytest.fixture
def client(world: World) -> Iterator[Client]:
    with Server(create(world)) as url, Client(url, key=ADMIN) as client:
        yield client


def opened(client: Client, which: str = "waiting") -> Desk:
    faults = next(domain for domain in client.domains() if domain.name == "faults")
    return teach_desk.opened(client, faults, Desk(which))


def test_what_the_model_doubts_comes_first_and_the_next_one_follows_a_decision(
    world: World, client: Client
) -> None:
    plain = keep(world, "faults", "normal", state="quarantined")
    doubted = keep(world, "faults", "normal", state="quarantined", model="fluid")
    desk = opened(client)
    assert [row.clip for row in desk.queue] == [doubted, plain]
    assert desk.clip
    desk = teach_desk.accepted(client, "faults", desk, desk.clip, "fluid")
    assert (desk.at, len(desk.decided)) == (plain, 1)
    assert world.clips[doubted]["row"]["label"] == "fluid"
    desk = teach_desk.undone(client, "faults", desk)  # the label, and that it was accepted
    assert (desk.at, desk.decided) == (doubted, ())
    assert world.clips[doubted]["row"]["label"] == "normal"


def test_one_queue_has_what_the_model_disagrees_with_then_doubts_then_answers_that_were_not_sure(
    world: World, client: Client
) -> None:
    asked = answer(world, "faults", "fluid")
    agreed = keep(world, "faults", "normal", state="quarantined", model="normal")
    doubted = keep(world, "faults", "normal", state="accepted", flagged=True)
    other = keep(world, "faults", "normal", state="quarantined", model="fluid", flagged=True)
    kept = world.predictions[asked]["row"]["clip"]
    assert [row.clip for row in opened(client).queue] == [other, doubted, agreed, kept]
    assert [row.clip for row in opened(client, "doubted").queue] == [doubted, other]


def test_decisions_are_undone_one_by_one(world: World, client: Client) -> None:
    clips = [keep(world, "faults", "normal", state="quarantined") for _ in range(3)]
    desk = opened(client)
    for clip in desk.queue[:2]:
        desk = teach_desk.rejected(client, "faults", desk, clip, "a dog")
    assert [row.clip for row in desk.queue] == clips[2:]
    for at in (clips[1], clips[0]):
        desk = teach_desk.undone(client, "faults", desk)
        assert desk.at == at
        assert world.clips[at]["row"]["state"] == "quarantined"
    assert "Nothing was decided" in teach_desk.undone(client, "faults", desk).told


def test_a_clip_that_is_gone_is_said_and_leaves_the_list(world: World, client: Client) -> None:
    gone = keep(world, "faults", "normal", state="quarantined")
    last = keep(world, "faults", "normal", state="quarantined")
    desk = opened(client)
    del world.clips[gone]
    assert desk.clip
    desk = teach_desk.rejected(client, "faults", desk, desk.clip, "")
    assert "There is no such clip" in desk.told
    assert (desk.at, desk.decided) == (last, ())


def test_a_decision_that_could_not_be_undone_for_now_is_kept_to_be_undone_later(
    world: World, client: Client
) -> None:
    clip = keep(world, "faults", "normal", state="quarantined")
    desk = opened(client)
    assert desk.clip
    desk = teach_desk.rejected(client, "faults", desk, desk.clip, "a dog")
    with Client("http://127.0.0.1:9", key=ADMIN, tries=1) as away:
        desk = teach_desk.undone(away, "faults", desk)
    assert "does not answer" in desk.told
    assert [row.clip for row in desk.decided] == [clip]
    desk = teach_desk.undone(client, "faults", desk)
    assert (desk.at, desk.decided) == (clip, ())
    desk = teach_desk.rejected(client, "faults", desk, desk.queue[0], "a dog")
    world.clips[clip]["before"].clear()  # somebody else was faster
    desk = teach_desk.undone(client, "faults", desk)
    assert "no review" in desk.told
    assert desk.decided == ()


def test_what_is_accepted_as_it_is_already_is_nothing_to_undo(world: World, client: Client) -> None:
    clip = keep(world, "faults", "normal", state="quarantined")
    desk = opened(client)
    assert desk.clip
    teach_desk.accepted(client, "faults", desk, desk.clip, "normal")
    desk = opened(client, "done")
    assert desk.clip
    desk = teach_desk.accepted(client, "faults", desk, desk.clip, "normal")
    assert (desk.queue, desk.decided) == ((), ())
    assert world.clips[clip]["row"]["state"] == "accepted"


def test_what_is_forgotten_names_the_versions_that_hold_it(world: World, client: Client) -> None:
    keep(world, "faults", "normal", state="rejected")
    keep(world, "faults", "normal", state="accepted")
    desk = opened(client, "done")
    assert [row.state for row in desk.queue] == ["rejected", "accepted"]
    assert desk.clip
    desk = teach_desk.forgotten(client, "faults", desk, desk.clip)
    assert "Versions that hold it: 2." in desk.told
    assert len(desk.queue) == len(world.clips) == 1
