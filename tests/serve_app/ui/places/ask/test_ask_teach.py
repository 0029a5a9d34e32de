"""ask_teach.py: a correction is taught and followed, or it is said why it was not."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import gradio as gr
import pytest

from serve_app.client.answers import Receipt
from serve_app.client.client import Client
from serve_app.ui.places.ask.ask_answers import Parts, Turns
from serve_app.ui.places.ask.ask_correct import _followed, _outcome
from serve_app.ui.places.ask.ask_teach import Asked, as_answered, sent, taught
from serve_app.ui.places.ask.given import Given
from support.fakes.fake_api import ADMIN, create
from support.fakes.fake_world import World
from support.inputs.sounds import tone
from support.local_server import Server

PARTS = Parts(*(field.name for field in fields(Parts)))


@pytest.fixture(scope="module")
def world() -> World:
    return World(step_s=0.05)


@pytest.fixture(scope="module")
def client(world: World) -> Iterator[Client]:
    with Server(create(world)) as url, Client(url) as client:
        yield client


@pytest.fixture
def asked(client: Client, tmp_path: Path) -> Asked:
    path = tmp_path / "pump.wav"
    path.write_bytes(tone(65))
    domain = client.domains()[0]
    found = client.predict(domain.name, path.read_bytes())
    return Asked(Given(path.name, path), domain, found)


def test_what_is_taught_goes_from_received_over_learning_to_live(
    client: Client, asked: Asked
) -> None:
    admin = client.with_key(ADMIN)
    *learning, live = taught(admin, asked, sent(admin, asked, "fluid", None))
    assert all("Received" in said and "Learning" in said for said in learning)
    assert "Live: version 2" in live
    assert "Before, version 1" in live
    assert "After, version 2" in live


def test_what_is_held_back_is_not_said_to_be_live(
    client: Client, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = client.with_key(ADMIN)
    receipt = sent(admin, asked, "fluid", None)
    held = receipt.model_copy(update={"state": "quarantined", "reason": "held back: it does harm"})
    monkeypatch.setattr(Client, "receipt", lambda *_: held)
    *_, last = taught(admin, asked, receipt)
    assert "Not learnt" in last
    assert "held back: it does harm" in last
    assert "Live" not in last


def test_what_may_not_be_taught_waits_and_a_run_under_way_is_said(
    client: Client, asked: Asked, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (said,) = taught(client, asked, sent(client, asked, "fluid", None))
    assert "It waits until somebody with a key accepts it" in said
    admin = client.with_key(ADMIN)
    monkeypatch.setattr(world, "step_s", 60.0)  # it is under way until the end
    run = admin.retrain("faults", "full", "by a colleague")
    *_, said = taught(admin, asked, sent(admin, asked, "fluid", None))
    assert "under way" in said
    assert "Your correction is kept" in said
    admin.cancel("faults", run.id)


def test_what_was_sent_is_not_said_below_another_answer(client: Client, asked: Asked) -> None:
    turns, receipt = Turns(), sent(client, asked, "fluid", None)
    assert "Thank you" in _outcome(turns, lambda: receipt)

    def slowly() -> Receipt:
        turns.begin()
        return receipt

    assert _outcome(turns, slowly) == gr.skip()


def test_a_clip_that_goes_while_it_is_taught_leaves_word_of_its_end(
    client: Client, asked: Asked
) -> None:
    admin = client.with_key(ADMIN)
    receipt = sent(admin, asked, "fluid", None)
    asked.given.path.unlink()
    *_, last = _followed(PARTS, admin, asked, receipt)
    assert "Live: version" in last["outcome"]


def test_a_right_answer_is_its_own_label(asked: Asked) -> None:
    assert as_answered(asked) == ("electrical", None)
