"""Many clips at once, and recordings of any length, as the fake service answers them."""

import io
import json
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import soundfile
from fastapi import FastAPI, Request, UploadFile
from fastapi.responses import StreamingResponse

from serve_app.client.answers import Batch
from support.fakes.fake_world import Problem, World, answered, hear
from support.inputs.sounds import wav

WINDOW_S = 5.0


def offer(app: FastAPI, world: World) -> None:
    @app.post("/{domain}/batch-predict", response_model=Batch)
    def batch(domain: str, files: list[UploadFile]) -> dict[str, Any]:
        rows = [one(domain, file) for file in files]
        labels = Counter(row["label"] for row in rows if "label" in row)
        failed = sum("error" in row for row in rows)
        counts = {"clips": len(rows), "failed": failed, "labels": labels}
        return {
            "domain": domain,
            "results": rows,
            "aggregate": counts | {"mean_confidence": None},
        }

    def one(domain: str, file: UploadFile) -> dict[str, Any]:
        try:
            found = answered(world, domain, file.file.read()) | {"evidence": None}
            return {"file": file.filename, **found}
        except Problem as error:
            said = {"type": "about:blank", "title": error.title, "request_id": "r-1"}
            problem = {**said, "status": error.status, "detail": error.detail}
            return {"file": file.filename, "error": problem}

    @app.post("/{domain}/analyze")
    async def analyze(domain: str, request: Request) -> StreamingResponse:
        raw = await request.body()
        return StreamingResponse(heard(world, domain, raw), media_type="text/event-stream")


def heard(world: World, domain: str, raw: bytes) -> Iterator[str]:
    """Each window by itself; all that is not normal is an event."""
    samples, rate_hz = soundfile.read(io.BytesIO(raw), dtype="float32")
    length, events = int(WINDOW_S * rate_hz), []
    for start in range(0, len(samples), length):
        start_s = start / rate_hz
        done = start / len(samples)
        yield f"event: progress\ndata: {json.dumps({'heard_s': start_s, 'done': done})}\n\n"
        time.sleep(world.step_s / 5)
        found = hear(domain, wav(samples[start : start + length], rate_hz))
        if found["label"] != "normal":
            moment = {"start_s": start_s, "end_s": start_s + WINDOW_S, "peak_s": start_s + 2.5}
            events.append({"label": found["label"], "confidence": found["confidence"], **moment})
    champion = world.champion(domain)
    result = {
        "request_id": "r-1",
        "domain": domain,
        "model": {"version": champion["version"], "digest": champion["digest"]},
        "recording": {
            "container": "WAV",
            "duration_s": len(samples) / rate_hz,
            "sample_rate_hz": rate_hz,
            "windows": len(samples) // length,
        },
        "window_s": WINDOW_S,
        "hop_s": WINDOW_S,
        "thresholds": {},
        "events": events,
        "labels": Counter(event["label"] for event in events),
    }
    yield f"event: result\ndata: {json.dumps(result)}\n\n"
