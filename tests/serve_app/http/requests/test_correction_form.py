"""correction_form.py: what a correction of a recording or of a photograph has to say."""

import numpy as np
import pytest

from data.domains.domain import Domain, ImageDomain, load_domains
from data.errors import InvalidParameter, TelltaleError, UnknownName
from data.media.image.photograph import decode_mask
from data.media.prepare import Prepared
from data.store.review.annotations import Annotation
from serve_app.http.requests.bodies import Part
from serve_app.http.requests.correction_form import (
    annotation_from_form,
    checked_group,
    must_need_no_mask,
)
from support.inputs.pictures import cracked

FAULTS, CRACKS = load_domains(names=("faults", "cracks")).values()
EMPTY, DRAWN = cracked(1, crack=False)[1], cracked(1)[1]


def form(label: str | None = None, mask: bytes | None = None) -> list[Part]:
    parts = [Part("file", b"...")]
    parts += [Part("label", label.encode())] if label is not None else []
    return parts + ([Part("mask", mask)] if mask is not None else [])


def photograph(side: int) -> Prepared:
    nothing = np.zeros((1, 3, 8, 8), np.float32)
    return Prepared(nothing, 0.0, 0, "PNG", width_px=side, height_px=side)


def test_a_recording_is_corrected_by_a_label() -> None:
    assert annotation_from_form(form("fluid"), FAULTS) == Annotation("fluid")


@pytest.mark.parametrize("label", [None, "crack"])
def test_a_photograph_is_corrected_by_a_mask(label: str | None) -> None:
    right = annotation_from_form(form(label, DRAWN), CRACKS)
    assert right.label == "crack"
    assert right.mask is not None
    assert isinstance(CRACKS, ImageDomain)
    assert decode_mask(right.mask, CRACKS.limits).any()
    right.must_fit(photograph(96))


def test_the_same_mask_is_the_same_bytes_however_it_was_sent() -> None:
    first = annotation_from_form(form(mask=DRAWN), CRACKS).mask
    assert first is not None
    assert annotation_from_form(form(mask=first), CRACKS).mask == first


@pytest.mark.parametrize(("label", "mask"), [("no crack", None), (None, EMPTY)])
def test_a_photograph_without_a_crack_is_said_to_be_so_by_label_or_empty_mask(
    label: str | None, mask: bytes | None
) -> None:
    right = annotation_from_form(form(label, mask), CRACKS)
    assert (right.label, right.mask) == ("no crack", None)


def test_the_mask_of_another_photograph_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="96 x 96 pixels; the photograph has 200 x 200"):
        annotation_from_form(form(mask=DRAWN), CRACKS).must_fit(photograph(200))


@pytest.mark.parametrize(
    ("domain", "parts", "words"),
    [
        (FAULTS, form(), "no part named 'label'"),
        (FAULTS, form("fluid", DRAWN), "faults takes a label and no mask"),
        (FAULTS, form("magic"), "no label 'magic'"),
        (CRACKS, form("hole", DRAWN), "no label 'hole'"),
        (CRACKS, form("crack"), "needs a part 'mask'.*or else label=no crack"),
        (CRACKS, form(), "needs a part 'mask'"),
        (CRACKS, form("no crack", DRAWN), "label is 'no crack', but the mask shows 'crack'"),
        (CRACKS, form(mask=b"a line"), "not a photograph"),
    ],
)
def test_what_nothing_can_be_learnt_from_is_refused(
    domain: Domain, parts: list[Part], words: str
) -> None:
    with pytest.raises(TelltaleError, match=words):
        annotation_from_form(parts, domain)


@pytest.mark.parametrize(
    ("text", "group"),
    [("pump 7", "pump 7"), ("  Frau Müller\n", "Frau Müller"), ("g" * 200, "g" * 200), (" ", None)],
)
def test_a_group_is_what_people_call_it(text: str, group: str | None) -> None:
    assert checked_group(text) == group


@pytest.mark.parametrize("text", ["g" * 201, "pump\x007", "pump\n7", "pump\u202e7"])
def test_a_group_that_nobody_could_read_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match="at most 200 characters, all of them printable"):
        checked_group(text)


def test_a_crack_cannot_come_without_saying_where() -> None:
    must_need_no_mask("no crack", CRACKS)
    must_need_no_mask("fluid", FAULTS)
    with pytest.raises(InvalidParameter, match="send it alone to /feedback"):
        must_need_no_mask("crack", CRACKS)
    with pytest.raises(UnknownName):
        must_need_no_mask("hole", CRACKS)
