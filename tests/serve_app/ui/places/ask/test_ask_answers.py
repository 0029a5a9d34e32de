"""ask_answers.py: what was answered stays, and what cannot be answered now is asked again."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path

import pytest

from data.errors import ClipTooLarge
from serve_app.client.answers import Batch
from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.ui.places.ask.ask_answers import (
    Caller,
    Parts,
    Turns,
    beside,
    hear_given,
    hear_one,
    hear_several,
    stopped,
    turned_away,
)
from serve_app.ui.places.ask.ask_recording import Ordered
from serve_app.ui.places.ask.given import Given
from support.fakes.fake_api import create
from support.fakes.fake_world import World
from support.inputs.sounds import tone
from support.local_server import Server

PARTS = Parts(*(field.name for field in fields(Parts)))  # each shown under its own name
Clips = Sequence[tuple[str, bytes]]


@pytest.fixture(scope="module")
def caller() -> Iterator[Caller]:
    with Server(create(World(step_s=0.1))) as url, Client(url, tries=1) as client:
        yield Caller(client, client.domains()[0], Turns(), Ordered())


@pytest.fixture
def nine(tmp_path: Path) -> tuple[Given, ...]:
    (tmp_path / "pump.wav").write_bytes(tone(65, seconds=0.5))
    return tuple(Given(f"{number}.wav", tmp_path / "pump.wav") for number in range(9))


def refusing(monkeypatch: pytest.MonkeyPatch, why: Callable[[Clips], ServiceError | None]) -> None:
    """Some forms of clips."""
    call = Client.batch_predict

    def batch_predict(client: Client, domain: str, clips: Clips) -> Batch:
        if error := why(clips):
            raise error
        return client.send(call(domain, clips))

    monkeypatch.setattr(Client, "batch_predict", batch_predict)


def test_a_file_that_is_larger_than_a_clip_may_be_is_not_read(
    caller: Caller, nine: tuple[Given, ...], tmp_path: Path
) -> None:
    """Named a hundred times by one event, it would lie in memory as often."""
    large = Given("large.wav", tmp_path / "large.wav")
    large.path.touch()
    os.truncate(large.path, caller.domain.limits.max_bytes + 1)
    with pytest.raises(ClipTooLarge, match=r"large\.wav has .* bytes; at most"):
        large.read(caller.domain)
    *_, shown = hear_given(PARTS, caller, (nine[0], large, nine[1]), lambda: False)
    assert "at most" in shown["panel"]
    assert "failed 1" in shown["panel"]


def test_clips_that_are_too_large_together_are_asked_one_by_one(
    caller: Caller, nine: tuple[Given, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def large(clips: Clips) -> ServiceError | None:
        much = len(clips) > 1 or clips[0][0] == "2.wav"
        return ServiceError("at most 64 MiB are taken", 413) if much else None

    refusing(monkeypatch, large)
    *_, last = hear_given(PARTS, caller, nine[:3], lambda: False)
    assert last["panel"].count("electrical</span>") == 2
    assert last["panel"].count("At most 64 MiB are taken.") == 1


def test_what_was_answered_stays_when_the_service_goes_away(
    caller: Caller, nine: tuple[Given, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(clips: Clips) -> ServiceError | None:
        return ServiceError("it starts again", 503) if clips[0][0] == "8.wav" else None

    with monkeypatch.context() as patched:
        refusing(patched, gone)
        *_, before, last = hear_given(PARTS, caller, nine, lambda: False)
    assert "8 of 9 files answered. It starts again. This page asks again" in last["panel"]
    assert "answers.csv" in last["panel"]
    assert before["listed"] == last["listed"] == last["waiting"] == nine
    turns = Turns()
    over = turns.begin()
    kept = stopped(PARTS, turns, before["rows"], before["listed"])
    assert over()
    assert "Stopped: 8 of 9 files answered." in kept["panel"]
    assert "answers.csv" in kept["panel"]
    assert kept["waiting"] is None
    *_, rows, last = hear_several(PARTS, caller, nine, before["rows"])
    assert rows["rows"][:8] == before["rows"]  # which are not asked again
    assert "9 files" in last["panel"]
    assert "Ask again" not in last["panel"]


def test_a_recording_that_found_the_service_busy_is_asked_again(
    caller: Caller, nine: tuple[Given, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object, **__: object) -> None:
        raise ServiceError("one of yours is heard already", 429, retry_after_s=2.0)

    monkeypatch.setattr(Client, "upload_recording", busy)
    small = caller.domain.limits.model_copy(update={"max_bytes": 10})
    of_long = replace(caller, domain=caller.domain.model_copy(update={"limits": small}))
    *_, last = hear_one(PARTS, of_long, nine[0], lambda: False)
    assert (last["panel"], last["waiting"]) == ("", nine[0])
    assert "asking again in 2 s" in last["answer"]
    assert last["again"]["value"] == 2.0


def test_a_clip_beside_the_panel_does_not_end_what_goes_on_there_and_a_new_one_does(
    caller: Caller, nine: tuple[Given, ...]
) -> None:
    over = caller.turns.begin()
    going_on = hear_several(PARTS, caller, nine)
    next(going_on), next(going_on)
    opened = caller.turns.begin(beside=True)
    assert not over()
    assert "9 files" in list(going_on)[-1]["panel"]
    caller.turns.end_panel()
    assert over()
    assert not opened()
    caller.turns.begin()
    assert opened()


def test_several_clips_that_wait_to_be_asked_again_stop_when_another_is_opened_beside_them(
    nine: tuple[Given, ...],
) -> None:
    assert "Stopped." in beside(PARTS, (), nine)["panel"]
    assert beside(PARTS, (), nine[0]) == {}


def test_another_domain_ends_what_is_under_way_and_its_own_does_not(caller: Caller) -> None:
    turns, other = Turns(), caller.domain.model_copy(update={"name": "cracks"})
    over = turns.begin(caller.domain.name)
    assert turned_away(PARTS, turns, caller.domain) == {}
    assert not over()
    gone = turned_away(PARTS, turns, other)
    assert over()
    assert (gone["panel"], gone["listed"], gone["asked"]) == ("", (), None)
