"""upload_routes.py: photographs and recordings sent many at once, on a real store."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from data.domains.domain import Domain, ImageDomain, load_domains
from data.errors import DiskFull, NotReady
from data.media.image.photograph import decode_mask
from data.quality.copy_pairs import Fingerprints
from data.quality.fingerprints import kind_of
from data.store.clips.clip_rows import Clip, NewClip
from data.store.store import Store
from serve_app.http import problems
from serve_app.http.requests.forms import Forms
from serve_app.http.routes import upload_routes
from serve_app.http.threads import decoding
from support.inputs.drawn_masks import KEPT, REFUSED, WALL, drawn_mask
from support.inputs.pictures import cracked
from support.inputs.sounds import bursts, tone, wav
from support.keys import keyring

ADMIN = "tt_an-admins-key-for-this-test"
FAULTS, CRACKS = load_domains(names=("faults", "cracks")).values()
(ONE, MASK), (TWO, OTHER), (BARE, EMPTY) = cracked(1), cracked(2), cracked(3, crack=False)
EXAMINED = cracked(9)[0]
SMALL = cracked(1, side=48)[1]
BROKEN, KEPT_BEFORE = b"no sound at all", tone(500)

Form = list[tuple[str, tuple[str, bytes]]]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{tmp_path}/telltale.db", str(tmp_path / "blobs"))
    yield store
    store.close()


def client(
    store: Store, domain: Domain, prints: Fingerprints | None = None, sure_of: str = ""
) -> TestClient:
    """Of a service whose model asserts one label of whatever it hears, or nothing."""
    app = FastAPI()
    problems.install(app)
    app.include_router(upload_routes.router)
    exam = hashlib.sha256(EXAMINED).hexdigest()
    best = domain.label_index(sure_of) if sure_of else 0
    scores = SimpleNamespace(asserted=True, best=best, confidence=0.99)
    served = SimpleNamespace(
        exam_clips={exam},
        exam_fingerprints=prints,
        domain=domain,
        bundle=domain,  # which has the labels
        model=SimpleNamespace(
            card=SimpleNamespace(assert_at={sure_of: 0.9} if sure_of else {}),
            answer=lambda clips: [scores] * len(clips),
        ),
    )
    champion = SimpleNamespace(loaded=True, served=served)
    app.state.service = SimpleNamespace(store=store, domain=domain, champion=champion)
    app.state.forms = Forms()
    app.state.keyring = keyring(ADMIN)
    return TestClient(app, headers={"Authorization": f"Bearer {ADMIN}"})


@pytest.fixture
def cracks(kept: Store) -> Iterator[TestClient]:
    with client(kept, CRACKS) as found:
        yield found


def form(masks: dict[str, bytes], **files: bytes) -> Form:
    parts = [("files", (f"{name}.jpg", raw)) for name, raw in files.items()]
    return parts + [("masks", pair) for pair in masks.items()]


def sent(client: TestClient, files: Form, **labels: Any) -> list[dict[str, Any]]:
    found = client.post("/upload", files=files, data=labels)
    assert found.status_code == 200, found.text
    results: list[dict[str, Any]] = found.json()["results"]
    return results


def test_a_clip_that_is_cut_off_is_kept_with_a_warning(kept: Store) -> None:
    clip = tone(seconds=2.0)
    with client(kept, FAULTS) as faults:
        files: Form = [("files", ("a.wav", clip)), ("files", ("b.wav", clip[: len(clip) // 2]))]
        whole, cut = sent(faults, files, label="fluid")
    assert (whole["warnings"], cut["outcome"]) == ([], "stored")
    assert cut["warnings"][0].startswith("the file says that it lasts 2.0 s, but only 1.0 s")


def test_each_mask_goes_with_the_photograph_that_is_named_alike(
    kept: Store, cracks: TestClient
) -> None:
    masks = {"two.png": OTHER, "masks/one.png": MASK}
    files = form(masks, one=ONE, bare=BARE, two=TWO)
    found = sent(cracks, files, labels=["crack", "no crack", "crack"])
    assert [row["outcome"] for row in found] == ["stored"] * 3
    for row, mask in ((found[0], MASK), (found[2], OTHER)):
        clip = kept.clips.get("cracks", row["clip"])
        assert (clip.label, clip.state, clip.source) == ("crack", "accepted", "upload")
        assert clip.mask is not None
        assert isinstance(CRACKS, ImageDomain)
        seen, drawn = (
            decode_mask(raw, CRACKS.limits) for raw in (kept.clips.read(clip.mask), mask)
        )
        np.testing.assert_array_equal(seen, drawn)
    assert kept.clips.get("cracks", found[1]["clip"]).mask is None
    again = sent(cracks, files, labels=["crack", "no crack", "crack"])
    assert [row["outcome"] for row in again] == ["duplicate"] * 3


@pytest.mark.parametrize(
    ("clips", "outcomes"),
    [
        ([tone(300)], []),
        ([BROKEN, tone(300)], []),
        ([KEPT_BEFORE, tone(300), tone(900)], ["duplicate", "refused", "refused"]),
    ],
)
def test_what_finds_no_room_is_503_unless_others_are_kept_and_is_tried_once(
    kept: Store, monkeypatch: pytest.MonkeyPatch, clips: list[bytes], outcomes: list[str]
) -> None:
    add, tried = kept.clips.add, list[bytes]()

    def full(new: NewClip, *, who: str) -> tuple[Clip, bool]:
        if new.raw == KEPT_BEFORE:
            return add(new, who=who)
        tried.append(new.raw)
        raise DiskFull

    files: Form = [("files", (f"{number}.wav", raw)) for number, raw in enumerate(clips)]
    with client(kept, FAULTS) as faults:
        sent(faults, [("files", ("kept.wav", KEPT_BEFORE))], label="fluid")
        monkeypatch.setattr(kept.clips, "add", full)
        found = faults.post("/upload", files=files, data={"label": "fluid"})
    assert tried == [tone(300)], "who waited once for what is away waits for no more of it"
    assert found.status_code == (200 if outcomes else 503)
    rows = found.json().get("results", [])
    assert [row["outcome"] for row in rows] == outcomes
    assert all("the disk is full" in row["reason"] for row in rows[1:])


def test_a_file_that_finds_too_many_waiting_is_refused_behind_one_that_is_kept(
    kept: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[object] = []

    async def crowded(work: Any, *arguments: Any) -> Any:
        calls.append(work)
        if len(calls) > 2:
            raise NotReady("200 requests wait for clips to be decoded")
        return await decoding(work, *arguments)

    monkeypatch.setattr(upload_routes, "decoding", crowded)
    with client(kept, FAULTS) as faults:
        files: Form = [("files", ("a.wav", tone(300))), ("files", ("b.wav", tone(900)))]
        found = sent(faults, files, label="fluid")
    assert [row["outcome"] for row in found] == ["stored", "refused"]
    assert "200 requests wait" in found[1]["reason"]


def test_a_clip_whose_flags_cannot_be_written_is_told_to_be_kept(
    kept: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> int:
        raise NotReady("the database is locked")

    monkeypatch.setattr(kept.flags, "add", away)
    with client(kept, FAULTS) as faults:
        (row,) = sent(faults, [("files", ("a.wav", tone()))], label="fluid")
    assert (row["outcome"], len(kept.clips.find("faults"))) == ("stored", 1)


def test_masks_may_stand_for_labels(kept: Store, cracks: TestClient) -> None:
    found = sent(cracks, form({"one.png": MASK, "bare.png": EMPTY}, one=ONE, bare=BARE, two=TWO))
    assert [row["label"] for row in found] == ["crack", "no crack", None]
    assert [row["outcome"] for row in found] == ["stored", "stored", "refused"]
    assert "it needs a part 'masks'" in found[2]["reason"]


@pytest.mark.parametrize(
    ("label", "masks", "words"),
    [
        ("crack", {}, "named like the photograph (wall.png for wall.jpg), a picture that is white"),
        ("crack", {"one.png": EMPTY}, "the label is 'crack', but the mask shows 'no crack'"),
        ("no crack", {"one.png": MASK}, "the label is 'no crack', but the mask shows 'crack'"),
        ("crack", {"one.png": SMALL}, "the mask has 48 x 48 pixels; the photograph has 96 x 96"),
        ("crack", {"one.png": b"a line"}, "its mask cannot be used"),
    ],
)
def test_a_photograph_that_its_mask_does_not_fit_is_refused_alone(
    kept: Store, cracks: TestClient, label: str, masks: dict[str, bytes], words: str
) -> None:
    files = form(masks | {"two.png": OTHER}, one=ONE, two=TWO)
    found = sent(cracks, files, labels=[label, "crack"])
    assert [row["outcome"] for row in found] == ["refused", "stored"]
    assert words in found[0]["reason"]
    assert found[0]["label"] == label
    assert [clip.sha256 for clip in kept.clips.find("cracks")] == [found[1]["clip"]]


def test_masks_are_kept_as_drawn_or_refused_in_words(kept: Store, cracks: TestClient) -> None:
    black_on_clear = KEPT["black on clear"](drawn_mask())
    for make, words in REFUSED.values():
        (row,) = sent(cracks, form({"wall.png": make(drawn_mask())}, wall=WALL))
        assert row["outcome"] == "refused"
        assert re.search(words, row["reason"])
    (row,) = sent(cracks, form({"wall.png": black_on_clear}, wall=WALL))
    assert (row["outcome"], row["label"]) == ("stored", "crack")


def test_another_mask_of_a_kept_photograph_is_refused(kept: Store, cracks: TestClient) -> None:
    sent(cracks, form({"one.png": MASK}, one=ONE), label="crack")
    (row,) = sent(cracks, form({"one.png": OTHER}, one=ONE), label="crack")
    assert (row["outcome"], "with another mask" in row["reason"]) == ("refused", True)


def test_a_photograph_of_the_exam_is_refused(kept: Store, cracks: TestClient) -> None:
    (row,) = sent(cracks, form({}, exam=EXAMINED), label="no crack")
    assert (row["outcome"], "part of the exam" in row["reason"]) == ("refused", True)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (form({"wall.png": MASK}, one=ONE), "'wall.png' has the name of none of the 1 files"),
        (
            [*form({"one.png": MASK}, one=ONE), ("files", ("b/one.png", TWO))],
            "'one.png' has the name of 2 of the 2 files",
        ),
        (form({"one.png": MASK, "one.jpg": OTHER}, one=ONE), "'one.jpg' .* no other mask has"),
    ],
)
def test_a_mask_that_is_not_of_one_photograph_is_not_guessed_at(
    kept: Store, cracks: TestClient, files: Form, words: str
) -> None:
    found = cracks.post("/upload", files=files, data={"label": "crack"})
    assert found.status_code == 400
    assert re.search(words, found.json()["detail"])
    assert not kept.clips.find("cracks")


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (("mask", ("one.png", MASK)), "a part 'mask', which is not known; known are files, masks"),
        (("masks", (None, MASK)), "the mask None has the name of none of the 1 files"),
        (("masks", (None, b"one.png")), "the part 'masks' must be a file"),
    ],
)
def test_a_mask_that_nobody_would_look_at_is_refused(
    kept: Store, cracks: TestClient, part: tuple[str, tuple[str | None, bytes]], words: str
) -> None:
    """Else a cracked wall would be kept as one without a crack."""
    files = [*form({}, one=ONE), part]
    found = cracks.post("/upload", files=files, data={"label": "no crack"})
    assert (found.status_code, words in found.json()["detail"]) == (400, True), found.text
    assert not kept.clips.find("cracks")


def test_names_match_whatever_wrote_them(kept: Store, cracks: TestClient) -> None:
    files = [("files", ("D:\\walls\\IMG_3.JPG", ONE)), ("masks", ("img_3.png", MASK))]
    (row,) = sent(cracks, files, labels=[""])
    assert (row["outcome"], row["label"]) == ("stored", "crack")


@pytest.mark.parametrize(
    ("said", "groups"),
    [
        ({}, {None}),
        ({"group": " bridge 3 "}, {"bridge 3"}),
        ({"groups": ["bridge 3", ""]}, {"bridge 3", None}),
    ],
)
def test_groups_are_kept_with_their_clips(
    kept: Store, cracks: TestClient, said: dict[str, Any], groups: set[str | None]
) -> None:
    sent(cracks, form({}, one=ONE, two=TWO), label="no crack", **said)
    assert {clip.group for clip in kept.clips.find("cracks")} == groups


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"groups": ["bridge 3"]}, "2 files came with 1 groups; send one 'group' for all"),
        ({"groups": ["a", "b"], "group": "c"}, "2 files came with 3 groups"),
        ({"labels": ["no crack"] * 2}, "2 files came with 3 labels; send one 'label' for all"),
        ({"group": ["a", "b"]}, "the form has two parts 'group'"),
        ({"label": ["no crack", "crack"]}, "the form has two parts 'label'"),
        ({"group": "bridge\t3"}, "all of them printable"),
    ],
)
def test_what_is_said_of_files_is_not_guessed_at(
    kept: Store, cracks: TestClient, said: dict[str, Any], words: str
) -> None:
    files = form({}, one=ONE, two=TWO)
    found = cracks.post("/upload", files=files, data={"label": "no crack", **said})
    assert (found.status_code, words in found.json()["detail"]) == (400, True), found.text
    assert not kept.clips.find("cracks")


def test_an_unknown_label_is_told_those_there_are(cracks: TestClient) -> None:
    found = cracks.post("/upload", files=form({}, one=ONE), data={"label": "hole"})
    assert (found.status_code, "no crack, crack" in found.json()["detail"]) == (404, True)


def test_recordings_have_labels_and_no_masks(kept: Store) -> None:
    with client(kept, FAULTS) as faults:
        assert faults.post("/upload", files=form({}, a=tone())).status_code == 400
        found = sent(faults, form({"a.png": MASK}, a=tone(), b=tone(seed=2)), label="fluid")
    assert [row["outcome"] for row in found] == ["refused", "stored"]
    assert found[0]["reason"] == "faults takes a label and no mask"


def test_a_copy_of_the_exam_is_refused_and_what_is_doubted_of_others_is_flagged(
    kept: Store, tmp_path: Path
) -> None:
    kind = kind_of(FAULTS)
    prints = Fingerprints(kind.name, (kind.make(wav(bursts(1), 8000), FAULTS),))
    loud = wav(np.clip(4 * bursts(2), -0.5, 0.5), 8000)
    with client(kept, FAULTS, prints) as faults:
        found = sent(faults, form({}, copy=wav(bursts(1) / 3, 8000), loud=loud), label="fluid")
    assert [row["outcome"] for row in found] == ["refused", "stored"]
    assert "part of the exam" in found[0]["reason"]
    (flag,) = kept.flags.find("faults")
    assert (flag.sha256, flag.kind) == (found[1]["clip"], "clipped")


def test_a_label_that_the_model_is_sure_is_wrong_waits_for_review(kept: Store) -> None:
    with client(kept, FAULTS, sure_of="electrical") as faults:
        found = sent(faults, form({}, a=tone()), label="fluid")
        assert sent(faults, form({}, b=tone(seed=2)), label="electrical")[0]["outcome"] == "stored"
    assert found[0]["outcome"] == "stored"
    (flag,) = kept.flags.find("faults")
    assert (flag.sha256, flag.kind) == (found[0]["clip"], "label_conflict")
