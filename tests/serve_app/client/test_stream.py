"""stream.py: answers come while sound is sent; what fails here is not said to be the service's."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing

import pytest
from starlette.types import Receive, Scope, Send

from serve_app.client.analysis_answers import StreamAnswer, StreamPrediction
from serve_app.client.client import AsyncClient, Client
from serve_app.client.connection import ServiceError
from support.local_server import Server

WINDOW = StreamPrediction(
    start_s=0, label="one", confidence=0.9, unknown=False, probabilities={"one": 0.9}
)
PATIENCE_S = 20


async def listens(scope: Scope, receive: Receive, send: Send) -> None:
    """A service that takes live sound until it ends, and answers each block that is not silent;
    of one that is too long it has had enough, and one of twos ends its replica."""
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive()).get("text") != "end":
        samples = message.get("bytes") or b""
        if samples.startswith(b"\2"):
            await send({"type": "websocket.close", "code": 1012})
            return
        if len(samples) > 1_000:
            await send({"type": "websocket.close", "code": 1013, "reason": "send less"})
            return
        if any(samples):
            await send({"type": "websocket.send", "text": WINDOW.model_dump_json()})
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
                answered.set()
        return found

    assert asyncio.run(run()) == [WINDOW, WINDOW]


def test_a_service_that_has_had_enough_is_quoted_while_sound_still_comes(url: str) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield bytes(2_000)
        await asyncio.Event().wait()

    async def run() -> None:
        async with AsyncClient(url) as client:
            with pytest.raises(ServiceError, match=r"send less \(1013\)"):
                await all_of(client.stream("keywords", endless(), 8_000))

    asyncio.run(run())


def paced() -> Iterator[bytes]:
    """Of 0.05 s each, at 8 kHz."""
    for block in (b"\1" * 800, b"\2" * 800, bytes(800), b"\1" * 800):
        yield block
        time.sleep(0.2)


def test_where_a_replica_ends_another_hears_what_follows(url: str) -> None:
    async def sound() -> AsyncIterator[bytes]:
        blocks = paced()
        while block := await asyncio.to_thread(next, blocks, b""):
            yield block

    async def run() -> list[StreamAnswer]:
        async with AsyncClient(url) as client:
            return await all_of(client.stream("keywords", sound(), 8_000))

    with Client(url) as client:
        found = list(client.stream("keywords", paced(), 8_000))
    assert asyncio.run(run()) == found
    assert [each.start_s for each in found if isinstance(each, StreamPrediction)] == [
        0,
        pytest.approx(0.125, abs=0.026),  # the block that was on its way is lost
    ]


def test_a_service_whose_replicas_all_end_is_not_asked_for_ever(url: str) -> None:
    with Client(url) as client, pytest.raises(ServiceError, match=r"\(1012\)"):
        list(client.stream("keywords", [b"\2" * 800] * 9, 8_000))
