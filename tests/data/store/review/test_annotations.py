"""annotations.py: what is said by a label and a mask, wherever the two come from."""

import numpy as np
import pytest
from PIL import Image

from data.domains.domain import load_domains
from data.domains.sections import PhotoLimitSpec
from data.errors import InvalidParameter, TelltaleError, UndecodableClip, UnsupportedClip
from data.media.image.photograph import decode_mask
from data.media.prepare import Prepared
from data.store.review.annotations import Annotation, checked_annotation
from support.inputs.drawn_masks import KEPT, REFUSED, drawn_mask, png
from support.inputs.pictures import cracked, encoded

FAULTS, CRACKS = load_domains(names=("faults", "cracks")).values()
EMPTY, DRAWN = cracked(1, crack=False)[1], cracked(1)[1]
NEEDS = "it needs a mask"
LIMITS = PhotoLimitSpec(max_bytes=10**7, max_pixels=10**7)


def photograph(side: int) -> Prepared:
    nothing = np.zeros((1, 3, 8, 8), np.float32)
    return Prepared(nothing, 0.0, 0, "PNG", width_px=side, height_px=side)


@pytest.mark.parametrize(("mask", "label"), [(DRAWN, "crack"), (EMPTY, "no crack")])
def test_what_a_mask_shows_is_the_label_where_none_is_given(mask: bytes, label: str) -> None:
    found = checked_annotation(None, mask, CRACKS, NEEDS)
    assert found.label == label
    assert found == checked_annotation(label, mask, CRACKS, NEEDS)


def test_an_empty_mask_has_to_fit_its_photograph_too() -> None:
    found = checked_annotation(None, EMPTY, CRACKS, NEEDS)
    found.must_fit(photograph(96))
    with pytest.raises(InvalidParameter, match="96 x 96 pixels; the photograph has 200 x 200"):
        found.must_fit(photograph(200))
    Annotation("no crack").must_fit(photograph(200))


@pytest.mark.parametrize(
    ("label", "mask", "words"),
    [
        ("crack", None, "it needs a mask, a picture that is white where the crack is"),
        (None, None, "it needs a mask"),
        ("crack", EMPTY, "the label is 'crack', but the mask shows 'no crack'"),
        ("no crack", DRAWN, "the label is 'no crack', but the mask shows 'crack'"),
        ("crack", DRAWN[:60], "its mask cannot be used: this PNG file is damaged"),
        ("hole", DRAWN, "no label 'hole'"),
    ],
)
def test_a_photograph_that_nothing_can_be_learnt_from_is_told_why(
    label: str | None, mask: bytes | None, words: str
) -> None:
    with pytest.raises(TelltaleError, match=words):
        checked_annotation(label, mask, CRACKS, NEEDS)


@pytest.mark.parametrize("kind", KEPT)
def test_a_mask_is_kept_as_it_was_drawn_by_whatever_program(kind: str) -> None:
    drawn = drawn_mask()
    found = checked_annotation(None, KEPT[kind](drawn), CRACKS, NEEDS)
    assert (found.label, found.sides) == ("crack", (96, 96))
    assert found.mask is not None
    kept = decode_mask(found.mask, LIMITS)
    if kind == "wide":
        assert kept[8:88, 8:88].all()
        assert kept[drawn].all()
    else:
        assert (kept & drawn).sum() > 0.85 * (kept | drawn).sum()


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("label", [None, "crack", "no crack"])
def test_what_is_no_mask_is_refused_in_words(kind: str, label: str | None) -> None:
    make, words = REFUSED[kind]
    with pytest.raises(UndecodableClip, match=f"its mask cannot be used: .*{words}"):
        checked_annotation(label, make(drawn_mask()), CRACKS, NEEDS)


@pytest.mark.parametrize("pixels", [(0,), (0, 0, 0), (0, 0, 0, 255), (0, 0, 0, 0), (9, 9, 9, 0)])
def test_a_mask_with_nothing_on_it_shows_nothing(pixels: tuple[int, ...]) -> None:
    empty = np.full((48, 64, len(pixels)), pixels, np.uint8).squeeze()
    assert checked_annotation(None, png(empty), CRACKS, NEEDS).label == "no crack"


@pytest.mark.parametrize(
    ("mode", "colour"), [("RGB", (255, 0, 0)), ("RGB", (128, 0, 0)), ("L", 100)]
)
@pytest.mark.parametrize("label", ["crack", "no crack", None])
def test_a_mask_in_colours_is_not_guessed_at(
    mode: str, colour: float | tuple[int, ...], label: str | None
) -> None:
    drawn = Image.new(mode, (64, 48))
    drawn.paste(colour, (0, 10, 64, 20))
    with pytest.raises(UndecodableClip, match="nothing light"):
        checked_annotation(label, encoded(drawn, "PNG"), CRACKS, NEEDS)


def test_a_mask_that_is_no_picture_is_as_wrong_as_such_a_photograph() -> None:
    with pytest.raises(UnsupportedClip, match="its mask cannot be used"):
        checked_annotation("crack", b"a line", CRACKS, NEEDS)


@pytest.mark.parametrize(
    ("label", "mask", "words"),
    [("fluid", DRAWN, "faults takes a label and no mask"), (None, None, "it is one of electrical")],
)
def test_a_recording_is_said_by_its_label_alone(
    label: str | None, mask: bytes | None, words: str
) -> None:
    with pytest.raises(InvalidParameter, match=words):
        checked_annotation(label, mask, FAULTS, NEEDS)
