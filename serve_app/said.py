"""What a correction says: a label and, of a photograph, where that is true."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from data.domain import Domain, ImageDomain
from data.errors import InvalidParameter

if TYPE_CHECKING:
    from data.prepare import Prepared
    from serve_app.limits import Part


@dataclass(frozen=True)
class Said:
    """`mask` is a PNG of `sides` (width, height), None where the label needs none."""

    label: str
    mask: bytes | None = None
    sides: tuple[int, int] = (0, 0)

    def must_fit(self, prepared: "Prepared") -> None:
        """Raises InvalidParameter for the mask of another photograph."""
        wanted = prepared.width_px, prepared.height_px
        if self.mask is not None and self.sides != wanted:
            seen, right = (f"{width} x {height}" for width, height in (self.sides, wanted))
            raise InvalidParameter(f"the mask has {seen} pixels; the photograph has {right}")


def said(parts: "Sequence[Part]", domain: Domain) -> Said:
    """Raises InvalidParameter, UnknownName or ClipError for what nothing can be learnt from."""
    return SAID[domain.task](parts, domain)


def must_need_no_mask(label: str, domain: Domain) -> None:
    """Of clips that come with nothing but a label."""
    if domain.label_index(label) and domain.task in MASKED:
        raise InvalidParameter(
            f"a photograph labelled {label!r} needs a mask that says where: send it alone to "
            "/feedback, with the parts 'file' and 'mask'"
        )


def _label(parts: "Sequence[Part]", domain: Domain) -> Said:
    label = _text(parts, "label")
    if label is None:
        raise InvalidParameter("the form has no part named 'label'; add it as -F label=...")
    if _body(parts, "mask") is not None:
        raise InvalidParameter(f"{domain.name} takes a label and no mask")
    domain.label_index(label)
    return Said(label)


def _mask(parts: "Sequence[Part]", domain: ImageDomain) -> Said:
    from data import image  # Pillow: photographs only

    label, raw = _text(parts, "label"), _body(parts, "mask")
    ground, sought = domain.labels
    if label is not None:
        domain.label_index(label)
    if label == ground and raw is None:
        return Said(ground)
    if raw is None:
        raise InvalidParameter(
            f"the form needs a part 'mask', a picture that is white where the {sought} is and as "
            f"large as the photograph, or else label={ground}"
        )
    mask = image.decode_mask(raw, domain.limits)
    drawn = sought if mask.any() else ground
    if label not in (None, drawn):
        raise InvalidParameter(f"the label is {label!r}, but the mask shows {drawn!r}")
    height, width = mask.shape
    return Said(drawn, image.encode_mask(mask) if mask.any() else None, (width, height))


def _text(parts: "Sequence[Part]", name: str) -> str | None:
    return next((part.text for part in parts if part.name == name), None)


def _body(parts: "Sequence[Part]", name: str) -> bytes | None:
    return next((part.body for part in parts if part.name == name), None)


SAID: "dict[str, Callable[[Sequence[Part], Any], Said]]" = {"classify": _label, "segment": _mask}
MASKED = ("segment",)
