"""A service at URL, as Label Studio's own schemas see it: its pre-annotations, and an annotation.

.venv-clients/bin/python tests/support/stock/label_studio.py URL KEY LABELS CLIP
"""

import base64
import json
import sys
from pathlib import Path
from typing import Any

import httpx
from label_studio_sdk.label_interface import LabelInterface
from label_studio_sdk.label_interface.create import choices
from label_studio_sdk.label_interface.objects import AnnotationValue, PredictionValue, TaskValue


def asked(url: str, key: str, labels: list[str], clip: bytes) -> dict[str, Any]:
    config = LabelInterface.create({"clip": "Audio", "what": choices(labels)})
    interface = LabelInterface(config)
    interface.validate()
    uri = f"data:audio/wav;base64,{base64.b64encode(clip).decode()}"
    task = TaskValue(data={"clip": uri}).model_dump()
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        backend = client.post("/setup", json={"project": "1.2", "schema": config}).json()
        order = {"tasks": [{"id": 1, **task}], "label_config": config, "project": "1.2"}
        (row,) = client.post("/predict", json=order).json()["results"]
        control = interface.get_control("what")
        right = control.label(labels[0])
        said = AnnotationValue(completed_by=1, result=[right]).model_dump()
        event = {"action": "ANNOTATION_CREATED", "annotation": said, "task": {"id": 1, **task}}
        headers = {"Authorization": f"Bearer {key}"}
        heard = client.post("/webhook", json=event, headers=headers).json()
    prediction = PredictionValue.model_validate(row)
    return {
        "version": backend["model_version"],
        "errors": interface.validate_prediction(prediction.model_dump(), return_errors=True),
        "label": prediction.result[0]["value"]["choices"],
        "score": prediction.score,
        "annotation": interface.validate_annotation(said),
        "receipt": heard.get("receipt", heard),
    }


if __name__ == "__main__":
    url, key, labels, file = sys.argv[1:]
    found = asked(url, key, labels.split(","), Path(file).read_bytes())
    sys.stdout.write(json.dumps(found))
