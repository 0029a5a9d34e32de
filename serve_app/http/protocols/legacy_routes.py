"""Predictions under `/api`, and `/transcribe`, as clients of earlier systems read them.

The answers are our own, and beside each field stands what those clients call it; times are
seconds. Plain `/predict` does without: it would pay for names that nobody there reads.
"""

from datetime import UTC, datetime
from typing import Any

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from serve_app.http.answers.responses import answer
from serve_app.http.openapi import JSON
from serve_app.http.routes import predict_routes

router = APIRouter(include_in_schema=False)


@router.post("/api/predict")
@router.post("/api/transcribe")
@router.post("/transcribe")
async def predict(request: Request) -> Response:
    found = await predict_routes.predict(request)
    body = orjson.loads(found.body)
    version = body["model"]["version"]
    return answer(body | _names(body, _now()), headers={"X-Model-Version": version})


@router.post("/api/batch-predict")
async def batch_predict(request: Request) -> Response:
    found = await predict_routes.batch_predict(request)
    if found.media_type != JSON:
        return found
    body, now = orjson.loads(found.body), _now()
    rows = [row | _names(row, now) for row in body["results"]]
    return answer(body | {"results": rows, "success": True})


def _names(row: dict[str, Any], now: str) -> dict[str, Any]:
    """For a clip that failed only that it did."""
    if "error" in row:
        return {"success": False}
    return {
        "success": True,
        "predicted_class": row["label"],
        "keyword": row["label"],
        "all_probabilities": row["probabilities"],
        "processing_time": round(row["timings_ms"]["total"] / 1e3, 5),
        "model_version": row["model"]["version"],
        "timestamp": now,
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
