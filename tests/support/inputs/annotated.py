"""What Label Studio sends to its ML backends and webhooks, by its public documentation."""

import base64
from collections.abc import Sequence
from typing import Any


def interface(labels: Sequence[str], of: str = "Audio") -> str:
    """A labelling interface that asks which of the labels a clip has."""
    choices = "".join(f'<Choice value="{label}"/>' for label in labels)
    return (
        f'<View><{of} name="clip" value="$clip"/>'
        f'<Choices name="what" toName="clip" choice="single">{choices}</Choices></View>'
    )


def task(clip: bytes | str, number: int = 1) -> dict[str, Any]:
    """With the clip itself, or an address."""
    if isinstance(clip, bytes):
        clip = f"data:audio/wav;base64,{base64.b64encode(clip).decode()}"
    return {"id": number, "data": {"clip": clip}, "meta": {}, "annotations": [], "predictions": []}


def event(
    task: dict[str, Any], label: str, action: str = "ANNOTATION_CREATED", **annotation: Any
) -> dict[str, Any]:
    """A webhook's payload."""
    row = {
        "id": "a1",
        "type": "choices",
        "from_name": "what",
        "to_name": "clip",
        "origin": "manual",
        "value": {"choices": [label]},
    }
    said = {"id": 7, "result": [row], "was_cancelled": False, "ground_truth": False, **annotation}
    project = {"id": 3, "title": "Digits", "label_config": ""}
    return {"action": action, "annotation": said, "task": task, "project": project}
