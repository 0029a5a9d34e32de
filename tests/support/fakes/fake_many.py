"""Many clips at once, and recordings of any length, as the fake service answers them."""

import io
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from threading import Thread
from typing import Any

import soundfile
from fastapi import FastAPI, Request, Response, UploadFile

from serve_app.client.analysis_answers import AnalysisJob
from serve_app.client.answers import Batch
from support.fakes.fake_world import Problem, World, answered, hear, now
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

    @app.post("/{domain}/uploads", status_code=201)
    def begin(domain: str, response: Response) -> None:
        upload = uuid.uuid4().hex
        world.uploads[upload] = b""
        response.headers["location"] = f"/{domain}/uploads/{upload}"

    @app.patch("/{domain}/uploads/{upload}", status_code=204)
    async def take(upload: str, request: Request, response: Response) -> None:
        world.uploads[upload] += await request.body()
        response.headers["upload-offset"] = str(len(world.uploads[upload]))

    @app.post("/{domain}/analyze", status_code=202, response_model=AnalysisJob)
    def analyze(domain: str, upload: str) -> dict[str, Any]:
        job = {"id": upload, "domain": domain, "state": "running", "created": now(), "heard_s": 0}
        world.jobs[upload] = job
        Thread(target=listen, args=(job, world.uploads.pop(upload)), daemon=True).start()
        return job

    def listen(job: dict[str, Any], raw: bytes) -> None:
        for told in heard(world, job["domain"], raw):
            if job["state"] == "cancelled":
                return
            job.update(told)

    @app.get("/{domain}/jobs/{job}", response_model=AnalysisJob)
    def job(job: str) -> dict[str, Any]:
        return world.jobs[job]

    @app.delete("/{domain}/jobs/{job}", response_model=AnalysisJob)
    def cancel(job: str) -> dict[str, Any]:
        world.jobs[job]["state"] = "cancelled"
        return world.jobs[job]


def heard(world: World, domain: str, raw: bytes) -> Iterator[dict[str, Any]]:
    """Each window by itself; all that is not normal is an event. Yields what becomes of its job."""
    samples, rate_hz = soundfile.read(io.BytesIO(raw), dtype="float32")
    length, events = int(WINDOW_S * rate_hz), []
    for start in range(0, len(samples), length):
        start_s = start / rate_hz
        done = start / len(samples)
        yield {"heard_s": start_s, "done": done}
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
    yield {"result": result, "state": "succeeded"}
