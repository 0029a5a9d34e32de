"""What the forms of corrections and uploads say of their clips."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from data.domains.domain import Domain
from data.errors import InvalidParameter
from data.store.review.annotations import MASKED, Annotation, checked_annotation

if TYPE_CHECKING:
    from serve_app.http.requests.bodies import Part

MAX_GROUP_CHARACTERS = 200


def annotation_from_form(parts: "Sequence[Part]", domain: Domain) -> Annotation:
    """Raises InvalidParameter, UnknownName or ClipError for what nothing can be learnt from."""
    label = next((part.text for part in parts if part.name == "label"), None)
    mask = next((part.body for part in parts if part.name == "mask"), None)
    if label is None and domain.task not in MASKED:
        raise InvalidParameter("the form has no part named 'label'; add it as -F label=...")
    return checked_annotation(label, mask, domain, needs="the form needs a part 'mask'")


def annotation_or_none(parts: "Sequence[Part]", domain: Domain) -> Annotation:
    """The same; of a photograph that comes alone nothing is known but that its answer was wrong,
    and the label is empty."""
    if domain.task in MASKED and not {"label", "mask"} & {part.name for part in parts}:
        return Annotation("")
    return annotation_from_form(parts, domain)


def group_from_form(parts: "Sequence[Part]") -> str | None:
    return checked_group(next((part.text for part in parts if part.name == "group"), ""))


def checked_group(text: str) -> str | None:
    """The recording, machine, patient or speaker that a clip is of; raises InvalidParameter."""
    group = text.strip()
    if len(group) > MAX_GROUP_CHARACTERS or not group.isprintable():
        raise InvalidParameter(
            f"a group has at most {MAX_GROUP_CHARACTERS} characters, all of them printable; this "
            f"is {group[:20]!r}, {len(group):,} characters long"
        )
    return group or None


def must_need_no_mask(label: str, domain: Domain) -> None:
    """Of clips that come with nothing but a label."""
    if domain.label_index(label) and domain.task in MASKED:
        raise InvalidParameter(
            f"a photograph labelled {label!r} needs a mask that says where: send it alone to "
            "/feedback, with the parts 'file' and 'mask'"
        )
