"""python -m data import: photographs with masks, from a list on disk to the plan of a retrain."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.__main__ import main
from data.datasets.dataset import Kept
from data.datasets.listing import read_listing
from data.datasets.photographs import decode_photographs
from data.datasets.split import Exam
from data.errors import InvalidParameter
from data.media.image.photograph import decode_mask
from data.store.store import Store
from support.inputs.drawn_masks import KEPT, REFUSED, WALL, drawn_mask
from support.inputs.pictures import cracked, encoded, turned, two_halves
from support.inputs.toy_photographs import BARE, toy_photo_domain, toy_photographs
from training.job.plan import plan_full
from training.screening.clip_embedder import ClipEmbedder
from training.screening.exam_guard import ExamGuard
from training.screening.uploads import screen

DOMAIN = toy_photo_domain(epochs=1)


def listed(folder: Path, *rows: str, header: str = "path,label,mask") -> Path:
    (folder / "list.csv").write_text("\n".join((header, *rows)))
    return folder / "list.csv"


def imported(listing: Path, *options: str, domain: str = "cracks") -> int:
    return main(["import", str(listing), "--domain", domain, *options])


@pytest.fixture
def walls(tmp_path: Path) -> Path:
    """Three photographs, the last without a crack, and a mask of each."""
    folder = tmp_path / "walls"
    (folder / "masks").mkdir(parents=True)
    for number in range(3):
        photograph, mask = cracked(number, crack=number < 2)
        (folder / f"{number}.png").write_bytes(photograph)
        (folder / "masks" / f"{number}.png").write_bytes(mask)
    return folder


def test_photographs_are_stored_with_what_their_masks_show(
    walls: Path, found_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ("0.png,crack,masks/0.png", "1.png,,masks/1.png", "2.png,no crack,")
    assert imported(listed(walls, *rows)) == 0
    said = capsys.readouterr().out
    assert "3 accepted, 0 known already, 0 refused, of 3 files" in said
    assert [line.split() for line in said.splitlines()[:2]] == [
        ["no", "crack", "1"],
        ["crack", "2"],
    ]
    kept = {clip.label: clip for clip in found_store.clips.find("cracks")}
    assert kept["no crack"].mask is None
    assert (kept["crack"].state, kept["crack"].source) == ("accepted", "import")
    assert kept["crack"].mask is not None
    mask = decode_mask(found_store.clips.read(kept["crack"].mask), DOMAIN.limits)
    np.testing.assert_array_equal(mask, decode_mask(cracked(0)[1], DOMAIN.limits))


def test_an_import_with_masks_may_be_run_again(
    walls: Path, found_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    listing = listed(walls, "0.png,crack,masks/0.png", "0.png,crack,masks/0.png")
    assert imported(listing) == imported(listing) == 0
    assert "1 accepted, 1 known already, 0 refused" in capsys.readouterr().out
    (clip,) = found_store.clips.find("cracks")
    assert clip.label == "crack"


def test_a_data_set_in_the_usual_layout_can_be_imported(
    tmp_path: Path, found_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    root = toy_photographs(tmp_path / "sets", DOMAIN)
    assert imported(root / DOMAIN.source.dataset, "--validation-split", "0.25") == 0
    assert "14 accepted, 0 known already, 4 left out" in capsys.readouterr().out
    found = found_store.clips.find("cracks")
    assert sum(clip.label == "no crack" for clip in found) == BARE
    held = [clip.label for clip in found if clip.split == "validation"]
    assert set(held) == {"crack", "no crack"}


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("0.png,crack,", "it needs a mask, in the column 'mask' .* white where the crack is"),
        ("0.png,crack,masks/2.png", "label is 'crack', but the mask shows 'no crack'"),
        ("0.png,no crack,masks/0.png", "label is 'no crack', but the mask shows 'crack'"),
        ("0.png,crack,masks/gone.png", "the mask cannot be read: No such file"),
        ("0.png,crack,list.csv", "its mask cannot be used: .* not a photograph"),
        ("0.png,crack,small.png", "the mask has 48 x 48 pixels; the photograph has 96 x 96"),
        ("list.csv,crack,masks/0.png", "not a photograph"),
        ("0.png,hole,masks/0.png", "no label 'hole'"),
    ],
)
def test_a_photograph_that_its_mask_does_not_fit_is_refused_alone(
    walls: Path,
    found_store: Store,
    capsys: pytest.CaptureFixture[str],
    row: str,
    words: str,
    options: tuple[str, ...],
) -> None:
    (walls / "small.png").write_bytes(cracked(0, side=48)[1])
    listing = listed(walls, row, "1.png,crack,masks/1.png")
    assert imported(listing, *options) == 1
    said = capsys.readouterr().out
    assert "1 accepted, 0 known already, 1 refused" in said
    (reason,) = (line for line in said.splitlines() if line.startswith("  refused: "))
    assert re.search(words, reason)
    assert len(found_store.clips.find("cracks")) == (0 if options else 1)


def test_masks_are_kept_as_drawn_or_refused_in_words(
    tmp_path: Path, found_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    masks = {"drawn": KEPT["black on clear"], **{kind: make for kind, (make, _) in REFUSED.items()}}
    (tmp_path / "wall.png").write_bytes(WALL)
    for number, make in enumerate(masks.values()):
        (tmp_path / f"{number}.png").write_bytes(make(drawn_mask()))
    rows = [f"wall.png,crack,{number}.png" for number in range(len(masks))]
    assert imported(listed(tmp_path, *rows)) == 1
    said = capsys.readouterr().out
    assert f"1 accepted, 0 known already, {len(REFUSED)} refused" in said
    assert "as by an inverted mask" in said
    assert [clip.label for clip in found_store.clips.find("cracks")] == ["crack"]


def test_folders_of_cracks_are_told_where_masks_belong(
    tmp_path: Path, found_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    for label in ("crack", "no crack"):
        (tmp_path / "by label" / label).mkdir(parents=True)
        photograph, _ = cracked(1, crack=label == "crack")
        (tmp_path / "by label" / label / "a.png").write_bytes(photograph)
    assert imported(tmp_path / "by label") == 1
    said = capsys.readouterr().out
    assert "1 accepted, 0 known already, 1 refused" in said
    assert "in the column 'mask' of a CSV or JSON list" in said


def test_a_photograph_on_its_side_is_masked_as_people_see_it(
    walls: Path, found_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    (walls / "phone.jpg").write_bytes(turned(two_halves(64, 48), 6))
    for name, size in (("upright", (48, 64)), ("lying", (64, 48))):
        mask = Image.new("L", size)
        mask.paste(255, (0, 0, 20, 20))
        (walls / f"{name}.png").write_bytes(encoded(mask, "PNG"))
    assert imported(listed(walls, "phone.jpg,crack,lying.png")) == 1
    assert "the mask has 64 x 48 pixels; the photograph has 48 x 64" in capsys.readouterr().out
    assert imported(listed(walls, "phone.jpg,crack,upright.png")) == 0
    assert [clip.label for clip in found_store.clips.find("cracks")] == ["crack"]


def test_one_photograph_under_two_masks_is_not_believed_twice(
    walls: Path, found_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert imported(listed(walls, "0.png,crack,masks/0.png", "0.png,crack,masks/1.png")) == 1
    assert "the same bytes as 0.png, which has another mask" in capsys.readouterr().out
    for options in (["--dry-run"], []):
        assert imported(listed(walls, "0.png,crack,masks/1.png"), *options) == 1
        assert "already known as 'crack' with another mask" in capsys.readouterr().out


def test_recordings_have_no_masks(
    walls: Path, found_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    listing = listed(walls, "0.png,fluid,masks/0.png")
    assert imported(listing, domain="faults") == 1
    assert "faults takes a label and no mask" in capsys.readouterr().out
    listing = listed(walls, "0.png,", header="path,mask")
    assert imported(listing, domain="faults") == 1
    assert "there is no label; it is one of electrical" in capsys.readouterr().out


@pytest.mark.parametrize("mask", ["../elsewhere.png", "/etc/hostname", "masks/link.png"])
def test_a_mask_lies_in_the_folder_of_its_list(walls: Path, mask: str) -> None:
    (walls.parent / "elsewhere.png").write_bytes(cracked(0)[1])
    (walls / "masks" / "link.png").symlink_to(walls.parent / "elsewhere.png")
    with pytest.raises(InvalidParameter, match=f"line 2: mask '{mask}' leads out of the list's"):
        read_listing(listed(walls, f"0.png,crack,{mask}"))


def test_a_csv_and_a_json_list_name_the_same_masks(walls: Path) -> None:
    (walls / "list.json").write_text('[{"path": "0.png", "mask": "masks/0.png"}]')
    by_csv = read_listing(listed(walls, "0.png,masks/0.png", header="path,mask"))
    assert read_listing(walls / "list.json") == by_csv
    assert by_csv[0].mask == walls / "masks" / "0.png"
    with pytest.raises(InvalidParameter, match="line 2: nothing in label"):
        read_listing(listed(walls, "0.png,,"))


def test_a_full_retrain_learns_imported_photographs_and_where_their_cracks_are(
    tmp_path: Path, found_store: Store
) -> None:
    folder = tmp_path / "walls"
    folder.mkdir()
    with (folder / "list.csv").open("w", newline="") as lines:
        table = csv.writer(lines)
        table.writerow(("path", "label", "mask", "group"))
        for number in range(100, 103):
            photograph, mask = cracked(number)
            (folder / f"{number}.png").write_bytes(photograph)
            (folder / f"{number}_mask.png").write_bytes(mask)
            table.writerow((f"{number}.png", "crack", f"{number}_mask.png", "wall 100"))
    assert imported(folder / "list.csv") == 0
    dataset = toy_photographs(tmp_path / "sets", DOMAIN)

    def read(kept: Kept) -> bytes:
        return kept.path.read_bytes() if kept.path else found_store.clips.read(kept.sha256)

    nothing = Exam(frozenset(), frozenset())
    embedder = ClipEmbedder(read, DOMAIN, None, {}, ExamGuard(DOMAIN, nothing))
    uploads = screen(found_store.clips.find("cracks"), embedder)
    assert (len(uploads.clips), uploads.refused) == (3, ())
    plan = plan_full(DOMAIN, dataset, uploads)
    ours = [clip for clip in plan.clips if clip.group == "wall 100"]
    assert len(ours) == 3
    photographs = decode_photographs(ours, read, DOMAIN, tmp_path / "decoded")
    for planes in (photographs[place] for place in range(3)):
        dark = planes[..., :3].mean(axis=2) < 90
        np.testing.assert_array_equal(dark, planes[..., 3] == 255)
