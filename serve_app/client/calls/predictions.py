"""Clips are asked about: one, many, or a recording of any length."""

from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO, TypedDict, Unpack

from ..analysis_answers import Analysis, Progress, TableFormat
from ..answers import Batch, Prediction, Problem
from ..call import Call, Named, one, raw, texts
from ..connection import ServiceError

SILENCE_S = 120.0  # another recording may be analysed there between two lines of progress


class Wishes(TypedDict, total=False):
    """How a recording is heard; what is not wished for is as the route has it. `thresholds` are
    by label, from 0 to 1; `top_n` keeps the surest events."""

    thresholds: Mapping[str, float]
    hop_s: float | None
    min_length_s: float | None
    merge_gap_s: float | None
    top_n: int | None


def predict(
    domain: str,
    clip: bytes,
    *,
    name: str = "clip",
    evidence: bool = False,
    top_k: int | None = None,
    version: str = "",
) -> Call[Prediction]:
    """`version` is another than the champion, of those in `models`."""
    return Call(
        "POST",
        f"/{domain}/predict",
        one(Prediction),
        params=texts(evidence=evidence, top_k=top_k, version=version),
        files=[("file", (name, clip))],
        idempotent=True,
    )


def batch_predict(
    domain: str, clips: Sequence[Named], *, top_k: int | None = None, version: str = ""
) -> Call[Batch]:
    """A result or an error for each clip (name, bytes), in order; two hundred at most."""
    return Call(
        "POST",
        f"/{domain}/batch-predict",
        one(Batch),
        params=texts(top_k=top_k, version=version),
        files=[("files", clip) for clip in clips],
        idempotent=True,
    )


def batch_table(domain: str, clips: Sequence[Named], *, version: str = "") -> Call[bytes]:
    """As `batch_predict`, as CSV with a row for each clip."""
    return Call(
        "POST",
        f"/{domain}/batch-predict",
        raw,
        params=texts(version=version),
        headers={"Accept": "text/csv"},
        files=[("files", clip) for clip in clips],
        idempotent=True,
    )


def analyze_as_table(
    domain: str, recording: BinaryIO, format: TableFormat, **wishes: Unpack[Wishes]
) -> Call[bytes]:
    """The events of a recording that is heard within SILENCE_S, as a table; it is sent once."""
    params = as_query(wishes) | {"format": format}
    path = f"/{domain}/analyze"
    return Call("POST", path, raw, params=params, content=recording, silence_s=SILENCE_S)


def analyze(domain: str, recording: BinaryIO, wishes: Wishes) -> Call[Analysis]:
    """As server-sent events, which `heard` reads; from where the file stands."""
    return Call(
        "POST",
        f"/{domain}/analyze",
        one(Analysis),
        params=as_query(wishes),
        headers={"Accept": "text/event-stream"},
        content=recording,
        silence_s=SILENCE_S,
    )


def as_query(wishes: Wishes) -> dict[str, str | list[str]]:
    thresholds = wishes.get("thresholds", {})
    told = {name: value for name, value in wishes.items() if name != "thresholds"}
    return texts(**told) | {
        "threshold": [f"{label}:{least:g}" for label, least in thresholds.items()]
    }


def heard(event: dict[str, str] | None, watch: Callable[[Progress], None]) -> Analysis | None:
    """The result, once it is there; raises ServiceError where the recording was refused."""
    if event is None:
        return None
    if event["event"] == "result":
        return Analysis.model_validate_json(event["data"])
    if event["event"] == "failed":
        problem = Problem.model_validate_json(event["data"])
        raise ServiceError(problem.detail, problem.status, problem.request_id)
    watch(Progress.model_validate_json(event["data"]))
    return None
