"""Live sound, as the fake service hears it: each second is an event, which ends with the next."""

import math
from typing import Any

import numpy as np
from fastapi import FastAPI, WebSocket

from serve_app.client.analysis_answers import (
    StreamEvent,
    StreamPrediction,
    StreamReady,
    StreamStart,
)
from serve_app.client.answers import ModelRef
from support.fakes.fake_world import LABELS, World, hear
from support.inputs.sounds import wav

WINDOW_S = 1.0


def offer(app: FastAPI, world: World, admin_key: str) -> None:
    @app.websocket("/{domain}/stream")
    async def stream(socket: WebSocket, domain: str) -> None:
        await socket.accept()
        start = StreamStart.model_validate_json(await socket.receive_text())
        if start.key not in ("", admin_key):
            await refuse(socket, 401, "nobody has this key", 1008)
            return
        if world.busy:
            world.busy -= 1
            await refuse(socket, 429, "32 streams are heard here already; try again later", 1013)
            return
        champion = world.champion(domain)
        ready = StreamReady(
            domain=domain,
            model=ModelRef(version=champion["version"], digest=champion["digest"]),
            window_s=WINDOW_S,
            hop_s=WINDOW_S,
            thresholds={},
        )
        await socket.send_text(ready.model_dump_json())
        if world.ending:
            world.ending -= 1
            await hear_seconds(socket, domain, start.sample_rate_hz or 16_000, most=1)
            await socket.close(1012)
            return
        await hear_seconds(socket, domain, start.sample_rate_hz or 16_000)
        await socket.close()


async def refuse(socket: WebSocket, status: int, detail: str, code: int) -> None:
    said = {"title": "Refused", "status": status, "detail": detail, "request_id": "r-1"}
    await socket.send_json({**said, "type": "error"})
    await socket.close(code, detail)


async def hear_seconds(
    socket: WebSocket, domain: str, rate_hz: int, most: float = math.inf
) -> None:
    """Until the sound ends, or so many were heard: then nobody is told how an event goes on."""
    sound, second = b"", 2 * int(rate_hz * WINDOW_S)
    before: StreamEvent | None = None
    heard = 0
    while (message := await socket.receive()).get("bytes") is not None:
        sound += message["bytes"]
        if len(sound) < second:
            continue
        samples = np.frombuffer(sound[:second], np.int16).astype(np.float32) / 32_768
        sound = sound[second:]
        found = hear(domain, wav(samples, rate_hz))
        start_s = heard * WINDOW_S
        heard += 1
        said: dict[str, Any] = {
            "start_s": start_s,
            "label": found["label"],
            "confidence": found["confidence"],
        }
        shares = dict(zip(LABELS[domain], found["probabilities"].tolist(), strict=True))
        prediction = StreamPrediction(**said, unknown=found["unknown"], probabilities=shares)
        await socket.send_text(prediction.model_dump_json())
        if before:
            await socket.send_text(before.model_copy(update={"ended": True}).model_dump_json())
        moment: dict[str, Any] = {"end_s": start_s + WINDOW_S, "peak_s": start_s + WINDOW_S / 2}
        before = StreamEvent(**said, **moment, ended=False)
        await socket.send_text(before.model_dump_json())
        if heard >= most:
            return
    if before:
        await socket.send_text(before.model_copy(update={"ended": True}).model_dump_json())
