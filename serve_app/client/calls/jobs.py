"""Recordings in parts (tus 1.0.0), and their analysis as a job to look at."""

import io
from typing import Unpack

import httpx

from ..analysis_answers import AnalysisJob, OwnUploads, RecordingUpload, TableFormat
from ..call import Call, get, one, part, segment
from ..connection import ServiceError
from .predictions import Wishes, as_query

TUS = {"Tus-Resumable": "1.0.0"}
PART = {"Content-Type": "application/offset+octet-stream"}


def order_analysis(domain: str, upload: str, **wishes: Unpack[Wishes]) -> Call[AnalysisJob]:
    """Of an upload that is whole; the job has its id, so that an order may be repeated."""
    return Call(
        "POST",
        f"/{domain}/analyze",
        one(AnalysisJob),
        params=as_query(wishes) | {"upload": upload},
        headers={"Prefer": "respond-async"},
        idempotent=True,
    )


def job(domain: str, job_id: str) -> Call[AnalysisJob]:
    return get(f"/{domain}/jobs/{segment(job_id)}", one(AnalysisJob))


def job_table(domain: str, job_id: str, format: TableFormat) -> Call[bytes]:
    """What a job that has succeeded found, as a table."""
    return get(f"/{domain}/jobs/{segment(job_id)}", _table, format=format)


def cancel_job(domain: str, job_id: str) -> Call[AnalysisJob]:
    """The recording, and what was found, are forgotten."""
    return Call("DELETE", f"/{domain}/jobs/{segment(job_id)}", one(AnalysisJob), idempotent=True)


def begin_upload(domain: str, length: int) -> Call[str]:
    """The id of an upload of so many bytes."""
    headers = {**TUS, "Upload-Length": str(length)}
    return Call("POST", f"/{domain}/uploads", _id, headers=headers)


def own_uploads(domain: str) -> Call[tuple[RecordingUpload, ...]]:
    """Of this key, also what a client that was killed has left."""
    return get(f"/{domain}/uploads", part(OwnUploads, lambda found: found.uploads))


def uploaded_bytes(domain: str, upload: str) -> Call[int]:
    path = f"/{domain}/uploads/{segment(upload)}"
    return Call("HEAD", path, _offset, headers=TUS, idempotent=True)


def send_part(domain: str, upload: str, came: int, part: bytes) -> Call[int]:
    """Behind the bytes that came; how many there are then."""
    path, headers = f"/{domain}/uploads/{segment(upload)}", {**TUS, **PART}
    headers["Upload-Offset"] = str(came)
    return Call("PATCH", path, _offset, headers=headers, content=io.BytesIO(part))


def delete_upload(domain: str, upload: str) -> Call[None]:
    path = f"/{domain}/uploads/{segment(upload)}"
    return Call("DELETE", path, lambda response: None, headers=TUS)


def _table(response: httpx.Response) -> bytes:
    if response.status_code == 202:
        raise ServiceError("the table is not there yet: the recording is still analysed", 202)
    return response.content


def _id(response: httpx.Response) -> str:
    return response.headers["location"].rpartition("/")[2]


def _offset(response: httpx.Response) -> int:
    return int(response.headers["upload-offset"])
