"""The yardstick: the same bundle and kernel behind a plain FastAPI application.

uvicorn loadtest.bare:app --factory --workers 2
"""

import os
from pathlib import Path
from typing import Any

from fastapi import FastAPI, UploadFile

from data.prepare import prepare
from models.bundle import load_bundle
from models.runtime import OnnxModel


def app() -> FastAPI:
    bundle = load_bundle(Path(os.environ["TELLTALE_BARE_BUNDLE"]))
    model = OnnxModel(bundle)
    domain = bundle.domain
    application = FastAPI()

    @application.post("/predict")
    async def predict(file: UploadFile) -> dict[str, Any]:
        prepared = prepare(await file.read(), domain)
        probabilities = model.predict([prepared.features])[0].probabilities
        best = int(probabilities.argmax())
        return {
            "label": bundle.labels[best],
            "confidence": float(probabilities[best]),
            "probabilities": dict(zip(bundle.labels, probabilities.tolist(), strict=True)),
        }

    return application
