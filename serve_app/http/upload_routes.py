"""Labelled clips, many in one form: each file with its own outcome."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.datastructures import FormData, UploadFile

from data.domains.domain import Domain
from data.errors import ClipError, Conflict, InvalidParameter
from data.media.prepare import prepare
from data.store.corrections import MASKED, checked_annotation
from serve_app.client.answers import Outcome, Uploaded, Uploads
from serve_app.http.feedback_routes import OF_THE_EXAM
from serve_app.http.forms import forms_of
from serve_app.http.openapi import BINARY, TEXT, form, many, openapi_of
from serve_app.http.replica import Replica
from serve_app.http.responses import caller_of, service_of
from serve_app.replica.first_checks import check_clip
from serve_app.replica.threads import decoding, writing

if TYPE_CHECKING:
    from data.store.clips import NewClip
    from data.store.flags import Found
    from serve_app.http.auth import Caller

MAX_UPLOAD_FILES = 1000  # masks among them
NEEDS_MASK = "it needs a part 'masks' that is named like the photograph (wall.png for wall.jpg)"

OUTCOMES: dict[bool, Outcome] = {True: "stored", False: "duplicate"}  # was its row made?
PARTS = {"files": True, "masks": True, "label": False, "labels": False}  # is it a file?

FORM = form(("files",), files=many(BINARY), masks=many(BINARY), label=TEXT, labels=many(TEXT))

router = APIRouter(tags=["correct"])


@router.post("/upload", **openapi_of(400, 404, 408, 413, 429, role="contributor", body=FORM))
async def upload(request: Request) -> Uploads:
    """Labelled clips: `files`, and either one `label` for all or `labels`, one a file in order.
    Of photographs also `masks`, white where the label is true, each named like its photograph but
    for the ending; they may stand for labels. Each file has its own outcome; the same bytes sent
    twice are one clip."""
    service, caller = service_of(request), caller_of(request, "contributor")
    async with forms_of(request).read(
        request, max_files=MAX_UPLOAD_FILES, max_fields=MAX_UPLOAD_FILES + 10
    ) as form:
        _must_know(form)
        files = _files(form, "files")
        if not files:
            raise InvalidParameter("the form has no part 'files'; add clips as -F files=@a.wav")
        labels = _labels(form, len(files), service.domain)
        masks = _masks(_files(form, "masks"), files)
        results = [
            await _keep(service, file, label, mask, caller)
            for file, label, mask in zip(files, labels, masks, strict=True)
        ]
    counts = Counter(row.outcome for row in results)
    return Uploads(domain=service.domain.name, results=tuple(results), counts=dict(counts))


def _must_know(form: FormData) -> None:
    """A part that nobody looks at may be the mask that somebody meant."""
    for name, value in form.multi_items():
        if name not in PARTS:
            raise InvalidParameter(
                f"the form has a part {name!r}, which is not known; known are {', '.join(PARTS)}"
            )
        if PARTS[name] is not isinstance(value, UploadFile):
            wanted = f"a file, as -F {name}=@name" if PARTS[name] else "text"
            raise InvalidParameter(f"the part {name!r} must be {wanted}")


def _files(form: FormData, name: str) -> list[UploadFile]:
    return [part for part in form.getlist(name) if isinstance(part, UploadFile)]


def _labels(form: FormData, files: int, domain: Domain) -> Sequence[str | None]:
    """One a file; None where it is left to the mask."""
    one, each = form.getlist("label"), form.getlist("labels")
    if not one and not each and domain.task in MASKED:
        return [None] * files
    labels = [str(label) or None for label in (one * files if len(one) == 1 else each)]
    if len(labels) != files:
        raise InvalidParameter(
            f"{files} files came with {len(labels)} labels; send one 'label' for all, or one part "
            "'labels' for each file, in the same order"
        )
    for label in {label for label in labels if label}:
        domain.label_index(label)
    return labels


def _masks(masks: Sequence[UploadFile], files: Sequence[UploadFile]) -> list[UploadFile | None]:
    """One a file, or None; raises InvalidParameter for a mask that is not of exactly one."""
    stems = [_stem(file) for file in files]
    found: dict[str, UploadFile] = {}
    for mask in masks:
        photographs = stems.count(_stem(mask))
        if photographs != 1 or _stem(mask) in found:
            raise InvalidParameter(
                f"the mask {mask.filename!r} has the name of {photographs or 'none'} of the "
                f"{len(files)} files and must have that of one, which no other mask has: wall.png "
                "is the mask of wall.jpg"
            )
        found[_stem(mask)] = mask
    return [found.get(stem) for stem in stems]


def _stem(file: UploadFile) -> str:
    """Also of what a camera or Windows names: `D:\\IMG_3.JPG` has the mask `img_3.png`."""
    return PureWindowsPath(file.filename or "").stem.casefold()


async def _keep(
    service: Replica,
    file: UploadFile,
    label: str | None,
    mask: UploadFile | None,
    caller: "Caller",
) -> Uploaded:
    enough = service.domain.limits.max_bytes + 1
    raw, drawn = await file.read(enough), await mask.read(enough) if mask else None
    sha256 = (await decoding(hashlib.sha256, raw)).hexdigest()
    outcome: Outcome
    try:
        new, flags = await decoding(_checked, service, raw, sha256, label, drawn)
        label = new.label
        _, created = await writing(lambda: service.store.clips.add(new, who=caller.name))
        await writing(service.store.flags.add, new.domain, flags, who=caller.name)
        outcome, reason = OUTCOMES[created], ""
    except (ClipError, Conflict, InvalidParameter) as error:
        outcome, reason = "refused", str(error)
    return Uploaded(file=file.filename, outcome=outcome, clip=sha256, label=label, reason=reason)


def _checked(
    service: Replica, raw: bytes, sha256: str, label: str | None, mask: bytes | None
) -> "tuple[NewClip, list[Found]]":
    """With its flags. A clip that nobody could hear is refused now, not found out by the
    retrain."""
    from data.store.clips import NewClip

    served = service.champion.served if service.champion.loaded else None
    if served and sha256 in served.exam_clips:
        raise Conflict(OF_THE_EXAM)
    said = checked_annotation(label, mask, service.domain, NEEDS_MASK)
    prepared = prepare(raw, service.domain)
    said.must_fit(prepared)
    checks = check_clip(raw, service.domain, served)
    if checks.of_exam:
        raise Conflict(OF_THE_EXAM)
    new = NewClip(
        raw,
        domain=service.domain.name,
        label=said.label,
        group=None,
        state="accepted",
        source="upload",
        duration_s=prepared.duration_s,
        sample_rate_hz=prepared.sample_rate_hz,
        mask=said.mask,
    )
    return new, checks.flags(sha256)
