"""The clients against the real routes: each of them, and what a person asks of himself."""

import asyncio
import io
import re
from collections.abc import Iterator

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.client import long_analysis
from serve_app.client.analysis_answers import Progress
from serve_app.client.answers import OneOfMany
from serve_app.client.client import AsyncClient, Client
from serve_app.client.connection import ServiceError
from serve_app.client.kept_answers import KeptPrediction
from serve_app.http.api import build_api
from support.fakes.fake_curator import Curator, Handle
from support.inputs.sounds import tone
from support.local_server import Server
from support.predictions import keep_prediction
from support.replica import ADMIN, Replica
from support.waiting import wait_for

OF_OTHERS = ("/v2", "/setup", "/webhook", "/transcribe")  # who have clients of their own
ELSEWHERE = ("/stream",)


class Noting:
    """Passes requests on, and notes what was asked."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.asked: set[tuple[str, str]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.asked.add((scope["method"], scope["path"].removeprefix("/keywords")))
        await self._app(scope, receive, send)


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    replica = Replica("keywords", tmp_path_factory.mktemp("home"))
    replica.curator = Handle(Curator(replica.domain, replica.store))
    yield replica
    replica.store.close()


@pytest.fixture(scope="module")
def door(replica: Replica) -> Noting:
    return Noting(build_api(replica))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def url(door: Noting) -> Iterator[str]:
    with Server(door) as url:
        yield url


@pytest.fixture(scope="module")
def admin(url: str) -> Iterator[Client]:
    with Client(url, ADMIN) as client:
        yield client


def test_an_admin_hands_out_keys_and_takes_them_back(admin: Client) -> None:
    keys = admin.accounts
    ann = admin.with_key(keys.add("ann", "viewer", days=30).key)
    assert (ann.me().name, ann.me().role, ann.me().expires is None) == ("ann", "viewer", False)
    with pytest.raises(ServiceError, match="needs the role admin"):
        ann.accounts.all_keys()
    assert keys.expire("ann", None).expires is None
    again = admin.with_key(keys.rotate("ann").key)
    assert [key.name for key in keys.all_keys()] == ["ann"]
    assert keys.revoke("ann").role == "viewer"
    for caller in (ann, again):
        with pytest.raises(ServiceError, match="not known"):
            caller.me()
    events = keys.events("keywords", kind="key", limit=2)
    assert [event.kind for event in events.events] == ["key.revoked", "key.rotated"]
    first = keys.events("keywords", kind="key", before=events.next, until=events.events[0].at)
    assert [event.kind for event in first.events] == ["key.expiry_set", "key.added"]


def test_a_sender_sees_his_receipts_and_an_admin_takes_a_decision_back(admin: Client) -> None:
    bob = admin.with_key(admin.accounts.add("bob", "contributor").key)
    receipt = bob.correct("keywords", tone(), "four")
    assert [one.receipt for one in bob.own_receipts("keywords")] == [receipt.receipt]
    assert bob.own_receipts("keywords", offset=1) == ()
    admin.reject("keywords", receipt.clip, "a door")
    assert admin.undo("keywords", receipt.clip).state == "accepted"
    (clip,) = admin.clips("keywords", doubted=True)
    assert [one.clip for one in admin.clips("keywords", label="four")] == [clip.clip]
    assert admin.clips("keywords", label="five") == admin.clips("keywords", offset=1) == ()
    assert (clip.label, clip.may_forget) == ("four", True)
    assert clip.model is not None
    assert clip.model.label == receipt.predicted


def test_the_service_tells_of_itself(admin: Client) -> None:
    anybody = admin.with_key("")
    assert anybody.history("keywords", "1h").points[-1].replicas == 1
    assert (anybody.health().status, anybody.ready().status) == ("ok", "ready")
    assert anybody.metrics().series["telltale_unknown_total"][0].value == 2
    assert anybody.model_info("keywords").card["labels"][0] == "zero"
    assert [domain.name for domain in anybody.domains()] == ["keywords"]
    assert anybody.status().curator == "ok"
    assert admin.insights("keywords").learnt.exam


def test_many_clips_are_asked_about_at_once(admin: Client) -> None:
    found = admin.batch_predict("keywords", [("a.wav", tone()), ("b.wav", b"no sound")])
    assert (found.aggregate.clips, found.aggregate.failed) == (2, 1)
    champion = admin.model_info("keywords").version
    one = admin.predict("keywords", tone(), version=champion, top_k=2)
    assert len(one.probabilities) == 2
    clips = [("a.wav", tone())]
    (same,) = admin.batch_predict("keywords", clips, version=champion, top_k=2).results
    assert isinstance(same, OneOfMany)
    assert same.probabilities.keys() == one.probabilities.keys()
    table = admin.batch_table("keywords", clips, version="99")
    assert b"no version '99'" in table


def test_a_recording_is_sent_in_parts_and_analysed_as_a_job(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_analysis, "PART_BYTES", 100_000)
    long, told = io.BytesIO(b"junk" + tone(500, seconds=10.0)), list[Progress]()
    long.seek(4)
    heard = admin.analyze_as_job("keywords", long, watch=told.append, hop_s=0.25)
    assert (heard.recording.duration_s, heard.hop_s, bool(told)) == (10.0, 0.25, True)
    with pytest.raises(ServiceError, match="not a sound file") as refused:
        admin.analyze_as_job("keywords", io.BytesIO(b"%PDF-1.7" + bytes(99)))
    assert refused.value.status == 415
    upload = admin.upload_recording("keywords", io.BytesIO(tone()))
    assert admin.uploaded_bytes("keywords", upload) == len(tone())
    assert admin.order_analysis("keywords", upload).id == upload
    assert admin.cancel_job("keywords", upload).state == "cancelled"
    left = admin.upload_recording("keywords", io.BytesIO(tone()))
    assert [(one.id, one.came) for one in admin.own_uploads("keywords")] == [(left, len(tone()))]
    admin.delete_upload("keywords", left)
    assert admin.own_uploads("keywords") == ()


def test_answers_come_as_tables(admin: Client) -> None:
    rows = admin.batch_table("keywords", [("a.wav", tone()), ("b.wav", b"no sound")]).decode()
    assert [row.split(",")[0] for row in rows.splitlines()] == ["file", "a.wav", "b.wav"]
    long = tone(500, seconds=10.0)
    table = admin.analyze_as_table("keywords", io.BytesIO(long), "audacity", hop_s=0.25)
    upload = admin.upload_recording("keywords", io.BytesIO(long))
    job = admin.order_analysis("keywords", upload, hop_s=0.25)
    wait_for(lambda: admin.job("keywords", job.id).state == "succeeded", 60)
    assert admin.job_table("keywords", job.id, "audacity") == table
    with pytest.raises(ServiceError, match="no job"):
        admin.job_table("keywords", "none", "csv")


def test_labelled_clips_are_uploaded_reviewed_and_forgotten(admin: Client) -> None:
    clips = [("a.wav", tone(500)), ("b.wav", tone(900))]
    stored = admin.upload("keywords", clips, ["two", "three"], groups=["Ann"])
    assert stored.counts == {"stored": 2}
    one = stored.results[0].clip
    assert admin.clip("keywords", one).group == "Ann"
    assert admin.content("keywords", one) == tone(500)
    with pytest.raises(ServiceError, match="no mask"):
        admin.mask("keywords", one)
    assert admin.regroup("keywords", one, "").group is None
    assert admin.relabel("keywords", one, "four").label == "four"
    assert admin.accept("keywords", one).state == "accepted"
    assert admin.forget("keywords", one).versions == ("2",)


def test_corrections_that_wait_are_decided(admin: Client) -> None:
    waiting = [admin.with_key("").correct("keywords", tone(seed=seed), "one") for seed in (3, 4)]
    listed = admin.corrections("keywords", "quarantined")
    assert [one.receipt for one in listed] == [one.receipt for one in waiting]
    first, second = (one.receipt for one in waiting)
    with pytest.raises(ServiceError, match="no mask"):
        admin.correction_mask("keywords", first)
    assert admin.accept_correction("keywords", first).state == "accepted"
    assert admin.reject_correction("keywords", second, "a door").reason == "a door"
    assert admin.receipt("keywords", second).state == "rejected"


def test_runs_are_started_and_stopped_and_versions_moved(admin: Client) -> None:
    run = admin.retrain("keywords", "teach", "enough corrections")
    assert [each.id for each in admin.runs("keywords")] == [run.id]
    assert admin.cancel("keywords", run.id).state == "cancelled"
    assert admin.run("keywords", run.id).events[-1].kind == "finished"
    assert [event.kind for event in admin.follow("keywords", run.id)] == ["queued", "finished"]
    assert len(admin.models("keywords")) == 2
    assert admin.promote("keywords", "2").version == "2"
    assert admin.roll_back("keywords").version == "1"
    assert admin.purge("keywords").purged == ("1",)


def test_kept_predictions_are_heard_labelled_and_replayed(admin: Client, replica: Replica) -> None:
    number = keep_prediction(replica, tone(1300))
    for listed in (admin.kept_predictions("keywords"), asked(admin)):
        assert [one.id for one in listed] == [number]
    assert admin.predicted_clip("keywords", number) == tone(1300)
    again = admin.replay("keywords", number, version=replica.served.version)
    assert again.now.label == admin.predict("keywords", tone(1300)).label
    assert admin.diff("keywords", "1", "2", last=5).failed == 1, "of versions that are only named"
    assert admin.label_prediction("keywords", number, "six").state == "accepted"
    assert asked(admin) == ()


def asked(admin: Client) -> tuple[KeptPrediction, ...]:
    return admin.kept_predictions("keywords", order="ask")


def test_the_asynchronous_client_does_the_same(url: str) -> None:
    async def asked() -> None:
        async with AsyncClient(url, ADMIN) as admin:
            found = await asyncio.gather(*(admin.predict("keywords", tone()) for _ in range(3)))
            assert len({one.label for one in found}) == 1
            (uploaded,) = (await admin.upload("keywords", [("a", tone(800))], ["two"])).results
            assert uploaded.outcome == "stored"
            long = io.BytesIO(tone(500, seconds=10.0))
            told: list[object] = []
            heard = await admin.analyze("keywords", long, watch=told.append, hop_s=0.25)
            assert (heard.recording.duration_s, heard.hop_s, bool(told)) == (10.0, 0.25, True)
            long.seek(0)
            later = await admin.analyze_as_job("keywords", long, hop_s=0.25)
            assert later.events == heard.events
            run = await admin.retrain("keywords", "full", "", epochs=3, dry_run=True)
            assert run.options == {"epochs": 3, "dry_run": True}
            await admin.cancel("keywords", run.id)
            kinds = [event.kind async for event in admin.follow("keywords", run.id)]
            assert kinds == ["queued", "finished"]
            assert (await admin.accounts.all_keys())[0].name == "bob"
            with pytest.raises(ServiceError, match="not a sound file") as refused:
                await admin.with_key("").predict("keywords", b"no sound")
            assert refused.value.status == 415

    asyncio.run(asked())


def test_no_route_is_without_a_method(admin: Client, door: Noting, url: str) -> None:
    """Whatever the tests above have not asked by a method is missing in the client."""
    document = httpx.get(f"{url}/openapi.json", timeout=60).json()
    missing = {
        (method.upper(), path)
        for path, methods in document["paths"].items()
        for method in methods
        if not path.startswith((*OF_OTHERS, *ELSEWHERE))
        and method != "options"
        and not any(_is_of(path, asked) for verb, asked in door.asked if verb == method.upper())
    }
    assert missing == set()


def _is_of(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path) is not None
