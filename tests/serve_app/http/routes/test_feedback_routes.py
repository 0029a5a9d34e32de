"""feedback_routes.py: whose corrections count, and from when on."""

import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import numpy as np
import pytest
from starlette.testclient import TestClient

from data.access_keys import Role
from serve_app.client.client import ServiceCalls
from serve_app.client.connection import Connection
from serve_app.client.senders import Sender
from serve_app.http.routes.feedback_routes import OF_THE_EXAM
from support.inputs.drawn_masks import MASK, REFUSED, WALL, drawn_mask
from support.inputs.sounds import bursts, tone, wav
from support.keys import key_of
from support.replica import ADMIN, Replica, answering
from support.tiny import examined_bundle

Form = list[tuple[str, tuple[str | None, bytes]]]

CLIP = tone()
SHA256 = hashlib.sha256(CLIP).hexdigest()


@pytest.fixture
def replica(tmp_path: Path) -> Iterator[Replica]:
    replica = Replica("keywords", tmp_path)
    yield replica
    replica.store.close()


@pytest.fixture
def client(replica: Replica) -> Iterator[TestClient]:
    with answering(replica) as found:
        yield found


def correct(client: TestClient, label: str, key: str = "", raw: bytes = CLIP) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    form: dict[str, Any] = {"files": {"file": raw}, "data": {"label": label}}
    found = client.post("/feedback", headers=headers, **form)
    assert found.status_code == 201, found.text
    kept: dict[str, Any] = found.json()
    return kept


def learnable(replica: Replica) -> int:
    return replica.store.clips.count_new("keywords")


def test_a_correction_without_a_key_is_not_learnt_from_until_an_admin_accepts_it(
    client: TestClient, replica: Replica
) -> None:
    kept = correct(client, "two")
    assert (kept["state"], kept["who"], learnable(replica)) == ("quarantined", "anonymous", 0)
    assert "waits until an admin accepts it" in kept["reason"]
    path = f"/feedback/{kept['receipt']}"
    assert client.post(f"{path}/accept").status_code == 401
    client.post(f"{path}/accept", headers={"Authorization": f"Bearer {ADMIN}"})
    assert (client.get(path).json()["state"], learnable(replica)) == ("accepted", 1)


def test_a_receipt_warns_of_a_clip_that_is_cut_off(client: TestClient) -> None:
    (words,) = correct(client, "two", raw=CLIP[: len(CLIP) // 2])["warnings"]
    assert words.startswith("the file says that it lasts 1.0 s, but only 0.5 s")
    assert correct(client, "two")["warnings"] == []


@pytest.mark.parametrize(
    ("role", "state"), [("viewer", "quarantined"), ("contributor", "accepted")]
)
def test_a_correction_counts_at_once_with_a_contributors_key(
    client: TestClient, replica: Replica, role: Role, state: str
) -> None:
    key = key_of(replica.store, "ann", role)
    kept = correct(client, "two", key)
    assert (kept["state"], kept["who"]) == (state, "ann")
    assert learnable(replica) == (state == "accepted")


def test_only_an_admins_correction_changes_a_label_that_counts(
    client: TestClient, replica: Replica
) -> None:
    key = key_of(replica.store, "ann", "contributor")
    correct(client, "two", key)
    assert correct(client, "three", key)["state"] == "quarantined"
    assert replica.store.clips.get("keywords", SHA256).label == "two"
    assert correct(client, "three", ADMIN)["state"] == "accepted"
    assert replica.store.clips.get("keywords", SHA256).label == "three"


def test_a_clip_of_the_exam_is_never_learnt_from(client: TestClient, replica: Replica) -> None:
    examined = dataclasses.replace(replica.served, exam_clips=frozenset({SHA256}))
    replica.served = replica.champion.served = examined
    kept = correct(client, "two", ADMIN)
    assert (kept["state"], learnable(replica)) == ("rejected", 0)
    assert "part of the exam" in kept["reason"]


def test_a_copy_of_a_clip_of_the_exam_is_never_learnt_from(
    client: TestClient, replica: Replica, tmp_path: Path
) -> None:
    bundle = examined_bundle(tmp_path / "examined", replica.domain, wav(bursts(1), 8000))
    replica.served = replica.champion.served = dataclasses.replace(replica.served, bundle=bundle)
    kept = correct(client, "two", ADMIN, wav(bursts(1)[400:] / 2, 8000))
    assert (kept["state"], learnable(replica)) == ("rejected", 0)
    assert "part of the exam" in kept["reason"]
    assert correct(client, "two", ADMIN, wav(bursts(2), 8000))["state"] == "accepted"


def test_without_a_key_nothing_is_kept_of_copies_of_a_clip_of_the_exam(
    client: TestClient, replica: Replica, tmp_path: Path
) -> None:
    """Each gain makes another copy, and no quota counts what waits for nobody."""
    exam = bursts(1)
    bundle = examined_bundle(tmp_path / "examined", replica.domain, wav(exam, 8000))
    replica.served = replica.champion.served = dataclasses.replace(replica.served, bundle=bundle)
    for gain in (1.0, 0.7, 0.5):
        files = {"file": wav(exam * gain, 8000)}
        found = client.post("/feedback", files=files, data={"label": "two"})
        assert (found.status_code, OF_THE_EXAM in found.text) == (409, True)
    assert not replica.store.clips.find("keywords")
    assert not replica.store.feedback.find("keywords")
    blobs = Path(replica.settings.home.storage_uri)
    assert not [path for path in blobs.rglob("*") if path.is_file()]


def test_what_is_doubted_of_a_correction_waits_for_review_and_changes_nothing(
    client: TestClient, replica: Replica, datasets: Path
) -> None:
    spoken = (datasets / "keywords/seven/7_george_10.flac").read_bytes()
    assert client.post("/predict", files={"file": spoken}).json()["asserted"]
    correct(client, "seven", ADMIN, spoken)
    assert replica.store.flags.find("keywords") == []
    replica.store.clips.forget("keywords", hashlib.sha256(spoken).hexdigest(), who="admin")
    loud = wav(np.clip(4 * bursts(1), -0.5, 0.5), 8000)
    kept = [correct(client, "two", ADMIN, raw) for raw in (spoken, loud, tone(seconds=0.5))]
    found = {(flag.sha256, flag.kind) for flag in replica.store.flags.find("keywords")}
    assert {(kept[0]["clip"], "label_conflict"), (kept[1]["clip"], "clipped")} <= found
    assert [one["state"] for one in kept] == ["accepted"] * 3


def test_what_another_person_says_leaves_no_doubt_on_a_label_that_counts(
    client: TestClient, replica: Replica, datasets: Path
) -> None:
    spoken = (datasets / "keywords/seven/7_george_10.flac").read_bytes()
    key = key_of(replica.store, "ann", "contributor")
    clip = correct(client, "seven", key, spoken)["clip"]
    for other in (key, ""):
        assert correct(client, "two", other, spoken)["state"] == "quarantined"
    assert replica.store.flags.find("keywords") == []
    (taken,) = replica.store.snapshots.take("keywords", who="ann").clips
    assert (taken.sha256, taken.label, learnable(replica)) == (clip, "seven", 1)


def test_the_receipt_says_what_was_answered_before(client: TestClient) -> None:
    answered = client.post("/predict", files={"file": CLIP}).json()
    before = correct(client, "two")["before"]
    assert (before["label"], before["version"]) == (answered["label"], "shipped")
    assert before["confidence"] == pytest.approx(answered["confidence"], abs=1e-4)


class InProcess(Sender, ServiceCalls): ...


def test_a_group_is_kept_with_its_clip_and_the_first_one_stays(
    client: TestClient, replica: Replica
) -> None:
    link = Connection("http://testserver", ADMIN, 60.0, 1)
    speaker = InProcess(link, cast(httpx.Client, client))
    for group, kept in (("", None), (" speaker 7 ", "speaker 7"), ("speaker 8", "speaker 7")):
        speaker.correct("keywords", CLIP, "two", group=group)
        (clip,) = speaker.clips("keywords")
        assert (clip.label, clip.group) == ("two", kept)
    assert speaker.correct("keywords", tone(seed=2), "two", group="speaker 7").state == "accepted"
    assert {clip.group for clip in speaker.clips("keywords")} == {"speaker 7"}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ([("masks", ("m.png", MASK))], "a part 'masks', which is not known; known are file, label"),
        ([("group", (None, b"g" * 201))], "at most 200 characters"),
        ([("file", ("other.wav", CLIP))], "two parts 'file'"),
        ([("label", (None, b"three"))], "two parts 'label'"),
        ([("mask", (None, b"mask.png"))], "the part 'mask' must be a file"),
    ],
)
def test_a_form_that_would_be_read_in_part_is_refused(
    client: TestClient, replica: Replica, more: Form, words: str
) -> None:
    form: Form = [("file", ("clip.wav", CLIP)), ("label", (None, b"two")), *more]
    found = client.post("/feedback", files=form)
    assert (found.status_code, words in found.json()["detail"]) == (400, True), found.text
    assert not replica.store.clips.find("keywords")


def test_what_is_no_mask_is_refused(tmp_path: Path) -> None:
    replica = Replica("cracks", tmp_path)
    with answering(replica) as client:
        for make, _ in REFUSED.values():
            files = {"file": WALL, "mask": make(drawn_mask())}
            found = client.post("/feedback", files=files, data={"label": "crack"})
            assert (found.status_code, "mask cannot be used" in found.text) == (422, True)
        assert not replica.store.clips.find("cracks")
        assert client.post("/feedback", files={"file": WALL, "mask": MASK}).status_code == 201
    replica.store.close()
