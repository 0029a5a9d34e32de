"""What people say of a clip: a label and, of a photograph, where that is true."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from data.domains.domain import Domain, ImageDomain
from data.errors import ClipError, InvalidParameter
from data.media.prepare import Prepared

MASKED = ("segment",)


@dataclass(frozen=True)
class Annotation:
    """`mask` is a PNG, None where the label needs none; `sides` (width, height) are those of the
    mask that was sent, if only to say that there is nothing."""

    label: str
    mask: bytes | None = None
    sides: tuple[int, int] | None = None

    def must_fit(self, prepared: Prepared) -> None:
        """Raises InvalidParameter for the mask of another photograph."""
        wanted = prepared.width_px, prepared.height_px
        if self.sides is not None and self.sides != wanted:
            seen, right = (f"{width} x {height}" for width, height in (self.sides, wanted))
            raise InvalidParameter(f"the mask has {seen} pixels; the photograph has {right}")


def checked_annotation(
    label: str | None, mask: bytes | None, domain: Domain, needs: str
) -> Annotation:
    """`mask` is a picture in any format; without a label, what it shows is the label. `needs`
    begins the sentence that asks for one that is lacking. Raises InvalidParameter, UnknownName or
    ClipError for what nothing can be learnt from."""
    return CHECKED[domain.task](label, mask, domain, needs)


def _label(label: str | None, mask: bytes | None, domain: Domain, needs: str) -> Annotation:
    if mask is not None:
        raise InvalidParameter(f"{domain.name} takes a label and no mask")
    if label is None:
        raise InvalidParameter(f"there is no label; it is one of {', '.join(domain.labels)}")
    domain.label_index(label)
    return Annotation(label)


def _mask(label: str | None, mask: bytes | None, domain: ImageDomain, needs: str) -> Annotation:
    ground, sought = domain.labels
    if label is not None:
        domain.label_index(label)
    if label == ground and mask is None:
        return Annotation(ground)
    if mask is None:
        raise InvalidParameter(
            f"{needs}, a picture that is white where the {sought} is and as large as the "
            f"photograph, or else label={ground}"
        )
    return _drawn(label, mask, domain)


def _drawn(label: str | None, raw: bytes, domain: ImageDomain) -> Annotation:
    from data.media.image import mask_levels, photograph  # Pillow: photographs only

    ground, sought = domain.labels
    try:
        mask = photograph.decode_mask(raw, domain.limits)
        mask_levels.must_leave_ground(mask)
    except ClipError as error:
        raise type(error)(f"its mask cannot be used: {error}") from error
    drawn = sought if mask.any() else ground
    if label not in (None, drawn):
        raise InvalidParameter(f"the label is {label!r}, but the mask shows {drawn!r}")
    height, width = mask.shape
    return Annotation(drawn, photograph.encode_mask(mask) if mask.any() else None, (width, height))


# Each is given the domains of its own task only, which their type cannot say.
CHECKED: dict[str, Callable[[str | None, bytes | None, Any, str], Annotation]] = {
    "classify": _label,
    "segment": _mask,
}
