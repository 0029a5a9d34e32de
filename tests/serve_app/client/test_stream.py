"""stream.py: answers come while sound is sent; what fails here is not said to be the service's."""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing

import pytest
from starlette.types import Receive, Scope, Send

from serve_app.client.analysis_answers import (
    StreamAnswer,
    StreamEvent,
    StreamPrediction,
    StreamReady,
)
from serve_app.client.answers import ModelRef
from serve_app.client.client import AsyncClient, Client
from serve_app.client.connection import ServiceError
from support.local_server import Server

WINDOW = StreamPrediction(
    start_s=0, label="one", confidence=0.9, unknown=False, probabilities={"one": 0.9}
)
EVENT = StreamEvent(start_s=1, peak_s=1.5, end_s=2, label="three", confidence=0.9, ended=False)
PATIENCE_S, UNREADY_S = 20, 1


READY = StreamReady(
    domain="keywords",
    model=ModelRef(version="1", digest="a" * 64),
    window_s=1,
    hop_s=0.1,
    thresholds={},
)


async def listens(scope: Scope, receive: Receive, send: Send) -> None:
    """A service that takes live sound until it ends, and answers each block that is not silent: one
    of ones with a prediction, one of threes with an event. Of one that is too long it has had
    enough, and one of twos ends its replica."""
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    await receive()
    await send({"type": "websocket.send", "text": READY.model_dump_json()})
    while (message := await receive()).get("text") != "end":
        if message["type"] == "websocket.disconnect":
            return
        samples = message.get("bytes") or b""
        if samples.startswith(b"\2"):
            await send({"type": "websocket.close", "code": 1012})
            return
        if len(samples) > 1_000:
            await send({"type": "websocket.close", "code": 1013, "reason": "send less"})
            return
        if any(samples):
            found = EVENT if samples.startswith(b"\3") else WINDOW
            await send({"type": "websocket.send", "text": found.model_dump_json()})
    await send({"type": "websocket.close", "code": 1000})


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with Server(listens) as url:
        yield url


def unplugged() -> Iterator[bytes]:
    yield bytes(800)
    raise OSError("the microphone is gone")


async def unplugged_async() -> AsyncIterator[bytes]:
    for block in unplugged():
        yield block


async def all_of(answers: AsyncGenerator[StreamAnswer, None]) -> list[StreamAnswer]:
    async with asyncio.timeout(PATIENCE_S), aclosing(answers):
        return [found async for found in answers]


def test_a_microphone_that_fails_is_said_as_it_is(url: str) -> None:
    with Client(url) as client, pytest.raises(OSError, match="the microphone is gone"):
        list(client.stream("keywords", unplugged(), 8_000))


def test_an_awaited_microphone_that_fails_is_said_as_it_is(url: str) -> None:
    async def run() -> None:
        async with AsyncClient(url) as client:
            with pytest.raises(OSError, match="the microphone is gone"):
                await all_of(client.stream("keywords", unplugged_async(), 8_000))

    asyncio.run(run())


def test_answers_are_awaited_while_sound_is_sent(url: str) -> None:
    answered = asyncio.Event()

    async def sound() -> AsyncIterator[bytes]:
        yield b"\1" * 800
        await answered.wait()
        yield b"\1" * 800

    async def run() -> list[StreamAnswer]:
        found = []
        async with (
            AsyncClient(url) as client,
            asyncio.timeout(PATIENCE_S),
            aclosing(client.stream("keywords", sound(), 8_000)) as answers,
        ):
            async for answer in answers:
                found.append(answer)
                if answer == WINDOW:
                    answered.set()
        return found

    assert asyncio.run(run()) == [READY, WINDOW, WINDOW]


def test_a_service_that_has_had_enough_is_quoted_while_sound_still_comes(url: str) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield bytes(2_000)
        await asyncio.Event().wait()

    async def run() -> None:
        async with AsyncClient(url) as client:
            with pytest.raises(ServiceError, match=r"send less \(1013\)"):
                await all_of(client.stream("keywords", endless(), 8_000))

    asyncio.run(run())


def sound(ready: threading.Semaphore, *parts: tuple[bytes, ...]) -> Iterator[bytes]:
    """Each part goes to a replica that has said that it is ready; behind the last one nothing comes
    for a while."""
    for part in parts:
        if ready.acquire(timeout=UNREADY_S):
            yield from part


def followed(url: str, *parts: tuple[bytes, ...], awaited: bool = False) -> list[StreamAnswer]:
    """What is told of 16-bit samples at 8 kHz, without that somebody is ready."""
    ready, found = threading.Semaphore(0), list[StreamAnswer]()
    blocks = sound(ready, *parts)

    def hear(answer: StreamAnswer) -> None:
        if answer == READY:
            ready.release()
        else:
            found.append(answer)

    async def in_steps() -> AsyncIterator[bytes]:
        while block := await asyncio.to_thread(next, blocks, b""):
            yield block

    async def run() -> None:
        async with AsyncClient(url) as client:
            async for answer in client.stream("keywords", in_steps(), 8_000):
                hear(answer)

    if awaited:
        asyncio.run(run())
    else:
        with Client(url) as client:
            for answer in client.stream("keywords", blocks, 8_000):
                hear(answer)
    return found


ONES, TWOS, THREES, QUIET = b"\1" * 800, b"\2" * 800, b"\3" * 800, bytes(800)  # 0.05 s


@pytest.mark.parametrize("awaited", [False, True])
def test_where_a_replica_ends_another_hears_what_follows(url: str, awaited: bool) -> None:
    found = followed(url, (ONES, TWOS), (QUIET, THREES, ONES), awaited=awaited)
    event = EVENT.model_copy(update={"start_s": 1.1, "peak_s": 1.6, "end_s": 2.1})
    assert found == [WINDOW, event, WINDOW.model_copy(update={"start_s": 0.1})]


def test_another_replica_begins_with_a_whole_sample(url: str) -> None:
    _, last = followed(url, (ONES, TWOS + b"\2"), (QUIET, ONES))
    assert isinstance(last, StreamPrediction)
    assert last.start_s == 1602 / 2 / 8_000


@pytest.mark.parametrize("awaited", [False, True])
def test_a_service_whose_replicas_all_end_is_not_asked_for_ever(url: str, awaited: bool) -> None:
    with pytest.raises(ServiceError, match=r"\(1012\)"):
        followed(url, *[(TWOS,)] * 4, awaited=awaited)


def test_what_is_lost_with_a_replica_is_said(url: str) -> None:
    def unplugged() -> Iterator[bytes]:
        yield TWOS
        raise OSError("the microphone is gone")

    async def unplugged_async() -> AsyncIterator[bytes]:
        for block in unplugged():
            yield block

    async def run() -> None:
        async with AsyncClient(url) as client:
            with pytest.raises(OSError, match="the microphone is gone"):
                await all_of(client.stream("keywords", unplugged_async(), 8_000))

    with Client(url) as client:
        with pytest.raises(OSError, match="the microphone is gone"):
            list(client.stream("keywords", unplugged(), 8_000))
        with pytest.raises(ServiceError, match="1012|with the last of the sound"):
            list(client.stream("keywords", [ONES, TWOS], 8_000))
    asyncio.run(run())


def test_sound_that_nobody_paces_waits_for_another_replica(url: str) -> None:
    blocks = [ONES, TWOS, *[QUIET] * 20_000, ONES]
    with Client(url) as client:
        found = list(client.stream("keywords", blocks, 8_000))
    assert [found[0], found[1], found[2]] == [READY, WINDOW, READY]
    assert len(found) == 4


def test_a_source_that_never_waits_leaves_others_their_turn(url: str) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield TWOS
        while True:
            yield QUIET

    async def run() -> None:
        async with AsyncClient(url) as client:
            with pytest.raises(ServiceError, match=r"\(1012\)"):
                await all_of(client.stream("keywords", endless(), format="opus"))

    asyncio.run(run())


def test_opus_is_not_begun_in_the_middle_and_waits_for_no_block(url: str) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield TWOS
        await asyncio.Event().wait()

    async def run() -> None:
        async with AsyncClient(url) as client:
            with pytest.raises(ServiceError, match=r"\(1012\)"):
                await all_of(client.stream("keywords", endless(), format="opus"))

    asyncio.run(run())
