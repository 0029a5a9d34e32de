"""Labelled clips, many in one form: each file with its own outcome."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.datastructures import FormData, UploadFile

from data.domains.domain import Domain
from data.errors import ClipError, Conflict, InvalidParameter, NotReady
from data.media.prepare import Prepared, prepare
from data.store.review.annotations import MASKED, checked_annotation
from serve_app.client.answers import Uploaded, UploadOutcome, Uploads
from serve_app.http.answers.responses import caller_of, service_of
from serve_app.http.openapi import BINARY, TEXT, form, many, openapi_of
from serve_app.http.replica import Replica
from serve_app.http.requests.correction_form import checked_group
from serve_app.http.requests.forms import files_of, forms_of
from serve_app.http.requests.multipart import MAX_FILES, PartRule
from serve_app.http.requests.parameters import ONLY_KNOWN_PARAMETERS
from serve_app.http.routes.feedback_routes import OF_THE_EXAM, put_flags
from serve_app.http.threads import decoding, writing
from serve_app.replica.champion import LoadedVersion
from serve_app.replica.first_checks import FirstChecks, check_clip, check_labelled

if TYPE_CHECKING:
    from data.store.clips.clip_rows import NewClip
    from data.store.review.flags import Found
    from serve_app.http.auth import Caller

NEEDS_MASK = "it needs a part 'masks' that is named like the photograph (wall.png for wall.jpg)"

REFUSED = (400, 404, 408, 413, 415, 429)
OUTCOMES: dict[bool, UploadOutcome] = {True: "stored", False: "duplicate"}  # was its row made?
PARTS = {
    "files": PartRule(is_file=True, most=MAX_FILES),
    "masks": PartRule(is_file=True, most=MAX_FILES),
    "label": PartRule(is_file=False),
    "labels": PartRule(is_file=False, most=MAX_FILES),
    "group": PartRule(is_file=False),
    "groups": PartRule(is_file=False, most=MAX_FILES),
    "file": PartRule(is_file=True),  # as some clients call the only clip of a form
}
FORM = form(
    ("files",),
    files=many(BINARY),
    masks=many(BINARY),
    label=TEXT,
    labels=many(TEXT),
    group=TEXT,
    groups=many(TEXT),
)

router = APIRouter(tags=["correct"], **ONLY_KNOWN_PARAMETERS)


@router.post("/upload", **openapi_of(*REFUSED, role="contributor", body=FORM))
async def upload(request: Request) -> Uploads:
    """Labelled clips: `files` (one also as `file`), and either one `label` for all or `labels`, one
    a file in order. Of photographs also `masks`, white where the label is true, each named like its
    photograph but for the ending; they may stand for labels. One `group` for all or `groups`
    (recording, machine, patient, speaker) keep clips on one side of a split. Each file has its own
    outcome; the same bytes sent twice are one clip."""
    service, caller = service_of(request), caller_of(request, "contributor")
    async with forms_of(request).read(request, PARTS) as form:
        files = files_of(form, "file", "files")
        if not files:
            raise InvalidParameter("the form has no part 'files'; add clips as -F files=@a.wav")
        labels = _labels(form, len(files), service.domain)
        groups = _groups(form, len(files))
        masks = _masks(files_of(form, "masks"), files)
        results: list[Uploaded] = []
        for file, label, group, mask in zip(files, labels, groups, masks, strict=True):
            try:
                results.append(await _keep(service, file, label, group, mask, caller))
            except NotReady as error:
                if all(row.outcome == "refused" for row in results):
                    raise
                untried = list(zip(files, labels, strict=True))[len(results) :]
                results += [_untried(file, label, str(error)) for file, label in untried]
                break  # each of them would wait as long for what is away
    counts = Counter(row.outcome for row in results)
    return Uploads(domain=service.domain.name, results=tuple(results), counts=dict(counts))


def _labels(form: FormData, files: int, domain: Domain) -> Sequence[str | None]:
    """One a file; None where it is left to the mask."""
    if "label" not in form and "labels" not in form and domain.task in MASKED:
        return [None] * files
    labels = [label or None for label in _one_each(form, "label", files)]
    for label in {label for label in labels if label}:
        domain.label_index(label)
    return labels


def _groups(form: FormData, files: int) -> Sequence[str | None]:
    if "group" not in form and "groups" not in form:
        return [None] * files
    return [checked_group(group) for group in _one_each(form, "group", files)]


def _one_each(form: FormData, name: str, files: int) -> list[str]:
    """What a part says of all files, or one part of each."""
    one, each = form.getlist(name), form.getlist(f"{name}s")
    texts = [str(text) for text in (*one * files, *each)]
    if len(texts) != files:
        raise InvalidParameter(
            f"{files} files came with {len(one) + len(each)} {name}s; send one '{name}' for all, "
            f"or one part '{name}s' for each file, in the same order"
        )
    return texts


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
    group: str | None,
    mask: UploadFile | None,
    caller: "Caller",
) -> Uploaded:
    enough = service.domain.limits.max_bytes + 1
    raw, drawn = await file.read(enough), await mask.read(enough) if mask else None
    sha256 = (await decoding(hashlib.sha256, raw)).hexdigest()
    outcome: UploadOutcome
    warnings: tuple[str, ...] = ()
    try:
        new, flags, warnings = await decoding(_checked, service, raw, sha256, label, group, drawn)
        label = new.label
        _, created = await writing(lambda: service.store.clips.add(new, who=caller.name))
        await put_flags(partial(service.store.flags.add, new.domain, flags, who=caller.name))
        outcome, reason = OUTCOMES[created], ""
    except (ClipError, Conflict, InvalidParameter) as error:
        outcome, reason = "refused", str(error)
    return Uploaded(
        file=file.filename,
        outcome=outcome,
        clip=sha256,
        label=label,
        reason=reason,
        warnings=warnings,
    )


def _untried(file: UploadFile, label: str | None, reason: str) -> Uploaded:
    return Uploaded(
        file=file.filename, outcome="refused", clip="", label=label, reason=reason, warnings=()
    )


def _checked(
    service: Replica,
    raw: bytes,
    sha256: str,
    label: str | None,
    group: str | None,
    mask: bytes | None,
) -> "tuple[NewClip, list[Found], tuple[str, ...]]":
    """With its flags and warnings. A clip that nobody could hear is refused now, not found out by
    the retrain."""
    from data.store.clips.clip_rows import NewClip

    served = service.champion.served if service.champion.loaded else None
    if served and sha256 in served.exam_clips:
        raise Conflict(OF_THE_EXAM)
    said = checked_annotation(label, mask, service.domain, NEEDS_MASK)
    prepared = prepare(raw, served.domain if served else service.domain)
    said.must_fit(prepared)
    checks = _checks(raw, prepared, said.label, service.domain, served)
    if checks.of_exam:
        raise Conflict(OF_THE_EXAM)
    new = NewClip(
        raw,
        domain=service.domain.name,
        label=said.label,
        group=group,
        state="accepted",
        source="upload",
        duration_s=prepared.duration_s,
        sample_rate_hz=prepared.sample_rate_hz,
        mask=said.mask,
    )
    return new, checks.flags(sha256), prepared.warnings


def _checks(
    raw: bytes, prepared: Prepared, label: str, domain: Domain, served: LoadedVersion | None
) -> FirstChecks:
    """With the model's word where it asserts anything, as of photographs it does not."""
    if served is None or not served.model.card.assert_at:
        return check_clip(raw, domain, served)
    return check_labelled(raw, domain, served, served.model.answer([prepared])[0], label)
