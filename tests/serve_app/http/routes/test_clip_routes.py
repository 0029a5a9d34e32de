"""clip_routes.py: what an admin sees of kept clips and decides, on a real store."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from data.database.schema import ClipState
from data.domains.domain import load_domains
from data.errors import Conflict, NotReady
from data.store.clips.clip_features import Features
from data.store.review.flags import Found
from data.store.store import Store
from models.card import BACKBONE
from serve_app.http import problems
from serve_app.http.routes import clip_routes
from serve_app.replica.champion import load_served
from support.corrections import add_correction
from support.inputs.uploads import new_clip
from support.keys import keyring
from support.tiny import tiny_bundle, tiny_clips

ADMIN = "tt_an-admins-key-for-this-test"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{tmp_path}/telltale.db", str(tmp_path / "blobs"))
    yield store
    store.close()


@pytest.fixture
def admin(store: Store) -> Iterator[TestClient]:
    app = FastAPI()
    problems.install(app)
    app.include_router(clip_routes.router)
    app.state.service = SimpleNamespace(
        store=store,
        domain=load_domains()["faults"],
        ask_curator=told_by_the_curator,
        champion=SimpleNamespace(loaded=False),
    )
    app.state.keyring = keyring(ADMIN, ann="contributor")
    with TestClient(app, headers={"Authorization": f"Bearer {ADMIN}"}) as client:
        yield client


async def told_by_the_curator(method: str, domain: str, sha256: str) -> dict[str, object]:
    assert (method, domain, len(sha256)) == ("remembering", "faults", 64)
    return {"versions": ["2", "3"], "message": "version 3, which serves, still remembers it"}


def add(store: Store, raw: bytes, label: str = "normal", state: ClipState = "accepted") -> str:
    return store.clips.add(new_clip(raw, label, state), who="anna")[0].sha256


def flag(store: Store, *found: tuple[str, float]) -> None:
    rows: list[Found] = [(sha256, "label", "more likely 'fluid'", score) for sha256, score in found]
    store.flags.put("faults", ["label"], rows, who="check")


def test_flagged_clips_are_listed_the_worst_first(store: Store, admin: TestClient) -> None:
    one, two, _ = (add(store, raw) for raw in (b"1", b"2", b"3"))
    flag(store, (one, 0.9), (two, 0.2))
    everything = admin.get("/clips").json()["clips"]
    assert [len(row["flags"]) for row in everything] == [0, 1, 1]
    flagged = admin.get("/clips", params={"flagged": True}).json()["clips"]
    assert [row["clip"] for row in flagged] == [one, two]
    assert flagged[0]["flags"] == [{"kind": "label", "reason": "more likely 'fluid'", "score": 0.9}]
    page = admin.get("/clips", params={"flagged": True, "limit": 1, "offset": 1}).json()["clips"]
    assert [row["clip"] for row in page] == [two]


def test_accepting_a_flagged_clip_says_that_it_is_right(store: Store, admin: TestClient) -> None:
    clip = add(store, b"1", state="quarantined")
    flag(store, (clip, 0.9))
    found = admin.post(f"/clips/{clip}/accept").json()
    assert (found["state"], found["flags"]) == ("accepted", [])
    flag(store, (clip, 0.9))  # the next check thinks the same
    assert admin.get("/clips", params={"flagged": True}).json()["clips"] == []


def test_relabelling_and_rejecting_settle_the_flags(store: Store, admin: TestClient) -> None:
    one, two = add(store, b"1"), add(store, b"2")
    flag(store, (one, 0.9), (two, 0.9))
    found = admin.post(f"/clips/{one}/relabel", json={"label": "fluid"}).json()
    assert (found["label"], found["flags"]) == ("fluid", [])
    found = admin.post(f"/clips/{two}/reject", json={"reason": "a slammed door"}).json()
    assert (found["state"], found["reason"], found["flags"]) == ("rejected", "a slammed door", [])
    assert admin.get("/clips", params={"flagged": True}).json()["clips"] == []


def test_an_admin_names_another_group_of_a_clip_or_none(store: Store, admin: TestClient) -> None:
    clip = add(store, b"1")
    for said, group in ((" pump 3 ", "pump 3"), ("pump 4", "pump 4"), (None, None)):
        found = admin.patch(f"/clips/{clip}", json={"group": said}).json()
        assert (found["group"], found["state"], found["label"]) == (group, "accepted", "normal")
    last = store.events.find(subject=f"clip:{clip}")[-1]
    assert (last.kind, last.detail) == ("clip.grouped", {"group": None, "before": "pump 4"})


def test_a_label_that_the_domain_has_not_is_refused(store: Store, admin: TestClient) -> None:
    clip = add(store, b"1")
    found = admin.post(f"/clips/{clip}/relabel", json={"label": "pump"})
    assert found.status_code == 404
    assert "its labels are electrical" in found.json()["detail"]


def test_a_label_that_no_clip_can_have_is_refused_in_a_list(
    store: Store, admin: TestClient
) -> None:
    add(store, b"1", "a label of last year")
    found = admin.get("/clips?label=fluit")
    assert found.status_code == 404
    assert "no label 'fluit'; its labels are electrical, fluid" in found.json()["detail"]
    assert admin.get("/clips?label=fluid").json()["clips"] == []
    assert len(admin.get("/clips?label=a label of last year").json()["clips"]) == 1


def test_a_review_is_taken_back(store: Store, admin: TestClient) -> None:
    clip = add(store, b"1", state="quarantined")
    flag(store, (clip, 0.9))
    before = admin.get(f"/clips/{clip}").json()
    admin.post(f"/clips/{clip}/reject", json={"reason": "a slammed door"})
    assert admin.post(f"/clips/{clip}/undo").json() == before
    assert admin.post(f"/clips/{clip}/undo").status_code == 409


def test_clips_come_with_what_the_model_says_and_those_it_doubts_most_first(
    store: Store, admin: TestClient, tmp_path: Path
) -> None:
    domain = load_domains()["faults"]
    served = load_served(tiny_bundle(tmp_path / "bundle", domain).path, "7")
    champion = SimpleNamespace(loaded=True, served=served)
    admin.app.state.service.champion = champion  # type: ignore[attr-defined]
    agreed, heard, answered, unheard = (add(store, raw) for raw in (b"1", b"2", b"3", b"4"))
    remembered = tiny_clips(domain, "memory")
    of = dict(zip(remembered.labels, remembered.values[:, None], strict=True))
    normal, fluid = (domain.label_index(label) for label in ("normal", "fluid"))
    backbone = served.bundle.card.files[BACKBONE]
    embeddings = {agreed: of[normal], heard: of[fluid]}
    found = {clip: Features(value, None) for clip, value in embeddings.items()}
    store.features.put("faults", backbone, found)
    correct(store, answered, "fluid")  # which was what the model had said, at 0.5
    listed = admin.get("/clips?order=disagreement").json()["clips"]
    assert [row["clip"] for row in listed] == [heard, answered, agreed, unheard]
    told = [row["model"] and (row["model"]["label"], row["model"]["version"]) for row in listed]
    assert told == [("fluid", "7"), ("fluid", "1"), ("normal", "7"), None]
    assert all(row["may_forget"] for row in listed)
    page = admin.get("/clips?order=disagreement&limit=1&offset=1&label=normal").json()["clips"]
    assert [row["clip"] for row in page] == [answered]


def test_a_clip_can_be_heard_and_not_run(store: Store, admin: TestClient) -> None:
    clip = add(store, b"<script>")
    found = admin.get(f"/clips/{clip}/content")
    assert found.content == b"<script>"
    assert found.headers["content-type"] == "application/octet-stream"
    assert found.headers["x-content-type-options"] == "nosniff"


def test_a_photograph_is_shown_with_its_mask_and_no_crack_is_claimed_without_one(
    store: Store, admin: TestClient
) -> None:
    admin.app.state.service.domain = load_domains()["cracks"]  # type: ignore[attr-defined]
    drawn, bare = (
        store.clips.add(replace(new_clip(raw, label, domain="cracks"), mask=mask), who="anna")[0]
        for raw, label, mask in ((b"1", "crack", b"a mask"), (b"2", "no crack", None))
    )
    assert admin.get(f"/clips/{drawn.sha256}").json()["mask"] == drawn.mask
    assert admin.get(f"/clips/{drawn.sha256}/mask").content == b"a mask"
    none = admin.get(f"/clips/{bare.sha256}/mask")
    assert (none.status_code, "has no mask" in none.json()["detail"]) == (404, True)
    for clip in (drawn, bare):
        refused = admin.post(f"/clips/{clip.sha256}/relabel", json={"label": "crack"})
        assert (refused.status_code, "needs a mask" in refused.json()["detail"]) == (400, True)
    right = admin.post(f"/clips/{drawn.sha256}/relabel", json={"label": "no crack"}).json()
    assert (right["label"], right["mask"]) == ("no crack", None)


def correct(store: Store, clip: str, label: str, mask: bytes | None = None) -> str:
    """An anonymous correction of an accepted clip, which stays as it is; the receipt."""
    with suppress(Conflict):
        domain = "cracks" if mask else "faults"
        again = replace(new_clip(b"1", label, "quarantined", domain), mask=mask)
        store.clips.add(again, who="anonymous")
    kept = add_correction(
        store,
        domain=again.domain,
        clip_sha256=clip,
        predicted=label,
        confidence=0.5,
        corrected=label,
        version="1",
        state="quarantined",
        reason="",
        who="anonymous",
        mask=mask,
    )
    return kept.receipt


@pytest.mark.parametrize(("label", "state"), [("fluid", "accepted"), ("normal", "rejected")])
def test_a_correction_of_an_accepted_clip_waits_beside_it_until_the_clip_is_decided(
    store: Store, admin: TestClient, label: str, state: str
) -> None:
    clip, _ = add(store, b"1"), add(store, b"2")
    receipt = correct(store, clip, "fluid")
    (found,) = admin.get("/clips", params={"waiting": True}).json()["clips"]
    assert (found["clip"], found["state"]) == (clip, "accepted")
    assert [(row["receipt"], row["label"]) for row in found["waiting"]] == [(receipt, "fluid")]
    if label != "normal":
        admin.post(f"/clips/{clip}/relabel", json={"label": label})
    found = admin.post(f"/clips/{clip}/accept").json()
    assert (found["label"], found["waiting"]) == (label, [])
    assert store.feedback.get(receipt).state == state
    assert admin.get("/clips", params={"waiting": True}).json()["clips"] == []


def test_what_waits_is_also_whatever_is_in_quarantine(store: Store, admin: TestClient) -> None:
    clip = add(store, b"1", state="quarantined")
    assert [row["clip"] for row in admin.get("/clips?waiting=true").json()["clips"]] == [clip]


def test_the_mask_of_a_correction_is_seen_before_it_is_accepted(
    store: Store, admin: TestClient
) -> None:
    admin.app.state.service.domain = load_domains()["cracks"]  # type: ignore[attr-defined]
    drawn = replace(new_clip(b"1", "crack", domain="cracks"), mask=b"a mask")
    clip = store.clips.add(drawn, who="anna")[0].sha256
    receipt = correct(store, clip, "crack", b"another mask")
    assert admin.get(f"/feedback/{receipt}/mask").content == b"another mask"
    assert admin.get("/feedback/none/mask").status_code == 404


def test_a_forgotten_clip_is_gone(store: Store, admin: TestClient) -> None:
    clip = add(store, b"1")
    told = admin.delete(f"/clips/{clip}").json()
    assert (told["clip"], told["versions"]) == (clip, ["2", "3"])
    assert "which serves" in told["message"]
    assert admin.get(f"/clips/{clip}").status_code == 404
    assert admin.get(f"/clips/{clip}/content").status_code == 404


def test_a_clip_is_forgotten_while_the_curator_is_away(store: Store, admin: TestClient) -> None:
    async def away(*_: str) -> None:
        raise NotReady("the curator does not answer")

    admin.app.state.service.ask_curator = away  # type: ignore[attr-defined]
    clip = add(store, b"1")
    snapshot = store.snapshots.take("faults", who="job")
    store.snapshots.mark_learnt(snapshot.id, "2", {}, who="job")
    told = admin.delete(f"/clips/{clip}")
    assert told.status_code == 200
    assert told.json()["versions"] == ["2"]
    assert "at present" in told.json()["message"]
    assert admin.get(f"/clips/{clip}").status_code == 404


def test_clips_of_another_domain_are_not_shown(store: Store, admin: TestClient) -> None:
    clip, _ = store.clips.add(new_clip(b"1", "one", domain="keywords"), who="anna")
    assert admin.get(f"/clips/{clip.sha256}/content").status_code == 404
    assert admin.get("/clips").json()["clips"] == []


@pytest.mark.parametrize(
    ("method", "route"),
    [
        ("GET", "/clips"),
        ("GET", "/clips/x"),
        ("GET", "/clips/x/content"),
        ("GET", "/clips/x/mask"),
        ("GET", "/feedback/x/mask"),
        ("POST", "/clips/x/accept"),
        ("POST", "/clips/x/reject"),
        ("POST", "/clips/x/relabel"),
        ("POST", "/clips/x/undo"),
        ("PATCH", "/clips/x"),
        ("DELETE", "/clips/x"),
    ],
)
def test_only_an_admin_reviews(admin: TestClient, method: str, route: str) -> None:
    bodies = {"/clips/x/reject": {"reason": ""}, "/clips/x/relabel": {"label": "fluid"}}
    bodies |= {"/clips/x": {"group": ""}} if method == "PATCH" else {}
    for header, status in (("Bearer ann", 403), ("", 401)):
        found = admin.request(
            method, route, headers={"Authorization": header}, json=bodies.get(route)
        )
        assert found.status_code == status
