"""Live sound over a WebSocket: PCM or Opus in; rolling predictions and events, as they happen, out.

A window is asked about as any clip is, in the replica's ordinary batches, which streams so share.
Sound that comes faster than it is heard, or whose answers nobody reads, waits: windows are skipped
then, and behind a bound the stream is ended (`live_sound.py`). The last message says why in words,
and the close code what to do: 1008 ask otherwise, 1009 send less, 1013 come back later; but where
the replica ends, uvicorn closes by 1012, without a word: connect again, to another.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

import orjson
from fastapi import APIRouter, WebSocket
from pydantic import BaseModel, ValidationError
from starlette.types import Message
from starlette.websockets import WebSocketDisconnect

from data.domains.domain import AudioDomain, of_sounds
from data.errors import Forbidden, InvalidParameter, Overloaded, TooSlow, UnsupportedClip
from data.media.live_decoder import LIVE, LiveDecoder, live_decoder
from data.media.sniff import sniff
from models.analysis.rolling import RollingEvents, Told, rolling_events
from models.analysis.tables import row
from serve_app.client.analysis_answers import (
    StreamEvent,
    StreamPrediction,
    StreamReady,
    StreamStart,
)
from serve_app.client.answers import ModelRef
from serve_app.http import problems
from serve_app.http.answers.responses import caller_of, queue_of, request_id, service_of
from serve_app.http.auth import Caller, Keyring
from serve_app.http.replica import Replica
from serve_app.http.requests.live_sound import Sound, Window
from serve_app.replica.admission import Held
from serve_app.replica.champion import LoadedVersion
from serve_app.replica.scoring import ScoredClip
from serve_app.statuses import explain

STARTING = 32  # that have not said yet whose they are
AT_ONCE, COMPRESSED_AT_ONCE = 24, 4  # of callers with a key, and as many of others
START_S, IDLE_S = 10.0, 30.0  # without the first message, or without sound
CLOSING_S = 2.0  # for the last words to one who may not read
AGAIN_S = 0.05  # before a window that found no place is asked about again
MESSAGE_BYTES = 64 * 1024  # one that is longer ends the connection: 1009
REASON_BYTES = 123  # of a close frame (RFC 6455)
CODES = {413: 1009, 429: 1013, 503: 1013, 500: 1011}  # by HTTP's status; else 1008

router = APIRouter()


@dataclass
class Streams:
    """A replica's; those without a key cannot take the places of those with one."""

    starting: Held = field(default_factory=Held)
    keyed: Held = field(default_factory=Held)
    anonymous: Held = field(default_factory=Held)
    keyed_compressed: Held = field(default_factory=Held)
    anonymous_compressed: Held = field(default_factory=Held)


@router.websocket("/stream")
async def stream(socket: WebSocket) -> None:
    """First `StreamStart` as JSON, then sound; a text message ends it, and gets what is left."""
    service = service_of(socket)
    await socket.accept()
    try:
        await _stream(socket, service)
        await socket.close()
    except WebSocketDisconnect:
        return
    except Exception as error:
        service.metrics.rejected(type(error).__name__)
        with suppress(TimeoutError, RuntimeError, WebSocketDisconnect):
            async with asyncio.timeout(CLOSING_S):
                await _refuse(socket, error)


async def _stream(socket: WebSocket, service: Replica) -> None:
    _must_be_own_page(socket, service.settings.cors_origins)
    domain, queue = of_sounds(service.domain), queue_of(socket)
    streams: Streams = socket.app.state.streams
    with _place(streams.starting, queue, STARTING):  # the first message takes memory too
        start = await _started(socket)
        caller = await _caller(socket, start.key)
    has_key = caller.role != "anonymous"
    who = caller.name if has_key else queue
    compressed = streams.keyed_compressed if has_key else streams.anonymous_compressed
    plan = rolling_events(service.champion.served.model, domain)
    rate_hz = start.sample_rate_hz or domain.input.sample_rate_hz
    sound = Sound(rate_hz, plan.window_s, plan.hop_s, domain.limits.max_recording_s)
    with ExitStack() as places:
        places.enter_context(_place(streams.keyed if has_key else streams.anonymous, who, AT_ONCE))
        if start.format == "opus":
            places.enter_context(_place(compressed, who, COMPRESSED_AT_ONCE, "compressed streams"))
        receive = _samples if start.format == "pcm16" else _compressed
        await _both(receive(socket, sound), _hear(socket, service, domain, sound, who))


@contextmanager
def _place(held: Held, who: str, most: int, of: str = "streams") -> Iterator[None]:
    if held.refuses(who, 1, most):
        raise Overloaded(f"{held.total} {of} are heard here already; try again later")
    held.take(who, 1)
    try:
        yield
    finally:
        held.give_back(who, 1)


def _must_be_own_page(socket: WebSocket, origins: tuple[str, ...]) -> None:
    """Browsers let any page open a WebSocket: those that may not ask over HTTP may not here."""
    origin = socket.headers.get("origin", "")
    own = origin.partition("://")[2] == socket.headers.get("host")
    if origin and not own and not {origin.lower(), "*"} & set(origins):
        raise Forbidden(f"pages of {origin[:80]!r} may not ask here; see TELLTALE_CORS_ORIGINS")


async def _started(socket: WebSocket) -> StreamStart:
    message = await _message(socket, START_S, f"no first message came in {START_S:g} s")
    try:
        return StreamStart.model_validate_json(message.get("text") or "")
    except ValidationError as error:
        wrong = error.errors()[0]
        where = ".".join(map(str, wrong["loc"])) or "it"
        raise InvalidParameter(
            'the first message must be JSON, as {"format": "pcm16", "sample_rate_hz": 16000, '
            f'"key": "..."}}; {where}: {wrong["msg"]}'
        ) from None


async def _message(socket: WebSocket, within_s: float, too_slow: str) -> Message:
    try:
        async with asyncio.timeout(within_s):
            message = await socket.receive()
    except TimeoutError:
        raise TooSlow(too_slow) from None
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect
    return message


async def _caller(socket: WebSocket, key: str) -> Caller:
    """By the header, or by the key in the first message, since a browser has no header for it."""
    if not key:
        return caller_of(socket)
    keyring: Keyring = socket.app.state.keyring
    await keyring.look(f"Bearer {key}")
    return keyring.caller(f"Bearer {key}")


async def _both(*works: Coroutine[None, None, None]) -> None:
    """Until both are done, or one raises: then the other is left."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()


async def _samples(socket: WebSocket, sound: Sound) -> None:
    async for samples in _messages(socket):
        sound.put(samples)
    sound.end()


async def _compressed(socket: WebSocket, sound: Sound) -> None:
    """Each stream has a decoder of its own, which is a process."""
    messages = _messages(socket)
    first = await anext(messages, b"")
    if (container := sniff(first)) not in LIVE:
        raise UnsupportedClip(
            "a stream of opus begins as Ogg or WebM does, with its header; this is "
            f"{container or 'of an unknown kind'}"
        )
    decoder = await live_decoder(container, sound.rate_hz)
    try:
        await _both(_feed(decoder, first, messages), _take(decoder, sound))
    finally:
        decoder.close()


async def _feed(decoder: LiveDecoder, first: bytes, messages: AsyncIterator[bytes]) -> None:
    await decoder.write(first)
    async for part in messages:
        await decoder.write(part)
    decoder.end()


async def _take(decoder: LiveDecoder, sound: Sound) -> None:
    while samples := await decoder.read():
        sound.put(samples)
    sound.end()


async def _messages(socket: WebSocket) -> AsyncIterator[bytes]:
    """Until one of text."""
    while True:
        words = f"no sound came in {IDLE_S:g} s; send silence too"
        message = await _message(socket, IDLE_S, words)
        part: bytes | None = message.get("bytes")
        if part is None:
            return
        yield part


async def _hear(
    socket: WebSocket, service: Replica, domain: AudioDomain, sound: Sound, who: str
) -> None:
    served = service.champion.served
    events = rolling_events(served.model, domain)
    await _send(socket, _ready(served, domain, events))
    while window := await sound.window():
        found = await _asked(service, window.wav, who)
        if found.served is not served:  # its thresholds, and maybe its labels, are others
            await _tell(socket, events.end())
            served = found.served
            events = rolling_events(served.model, domain)
        await _send(socket, _prediction(window, found))
        scores = found.scores
        await _tell(socket, events.add(window.start_s, scores.probabilities, scores.unknown))
    await _tell(socket, events.end(sound.duration_s))


async def _asked(service: Replica, wav: bytes, who: str) -> ScoredClip:
    while True:
        try:
            return await service.predict(wav, who)
        except Overloaded:  # meanwhile the sound waits, and its bound is what counts
            await asyncio.sleep(AGAIN_S)


def _ready(served: LoadedVersion, domain: AudioDomain, events: RollingEvents) -> StreamReady:
    return StreamReady(
        domain=domain.name,
        model=ModelRef(version=served.version, digest=served.digest),
        window_s=events.window_s,
        hop_s=events.hop_s,
        thresholds={label: round(least, 6) for label, least in events.rules.enter.items()},
        disclaimer=domain.disclaimer,
    )


def _prediction(window: Window, found: ScoredClip) -> StreamPrediction:
    scores, labels = found.scores, found.served.model.labels
    probabilities = zip(labels, scores.probabilities.tolist(), strict=True)
    return StreamPrediction(
        start_s=round(window.start_s, 3),
        skipped=window.skipped,
        label=labels[scores.best],
        confidence=round(scores.confidence, 6),
        unknown=scores.unknown,
        probabilities={label: round(share, 4) for label, share in probabilities},
    )


async def _tell(socket: WebSocket, events: list[Told]) -> None:
    for told in events:
        await _send(socket, StreamEvent.model_validate(row(told.event) | {"ended": told.ended}))


async def _send(socket: WebSocket, body: BaseModel) -> None:
    await socket.send_text(body.model_dump_json())


async def _refuse(socket: WebSocket, error: Exception) -> None:
    status, title, detail = explain(error)
    said = problems.problem(status, title, detail, request_id(socket))
    await socket.send_text(orjson.dumps({**said, "type": "error"}).decode())
    reason = detail.encode()[:REASON_BYTES].decode(errors="ignore")
    await socket.close(CODES.get(status, 1008), reason)
