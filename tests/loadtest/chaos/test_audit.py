"""What a service said it had kept is looked for, byte by byte."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from data.database.schema import now
from data.home import planned_home
from data.store.analysis_jobs import Job
from data.store.store import Store
from loadtest.chaos.clients import Ledger
from loadtest.chaos.disturbance import Audit, audited, broken
from support.corrections import add_correction
from support.inputs.uploads import new_clip

VERSIONS = {"1": "aa", "2": "bb"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    place = planned_home({"TELLTALE_HOME": str(tmp_path)})
    store = Store.open(place.database_url, place.storage_uri)
    yield store
    store.close()


def kept(store: Store, raw: bytes, ledger: Ledger, corrected: bool = False) -> str:
    clip, _ = store.clips.add(new_clip(raw), who="admin")
    receipt = None
    if corrected:
        said = add_correction(
            store,
            domain="faults",
            clip_sha256=clip.sha256,
            predicted="fluid",
            confidence=0.5,
            corrected="normal",
            version="1",
            state="accepted",
            reason="",
            who="admin",
        )
        receipt = said.receipt
    ledger.clips.add(clip.sha256)
    ledger.kept[clip.sha256] = receipt
    return clip.sha256


def blob(home: Path, sha256: str) -> Path:
    (found,) = (path for path in (home / "blobs").rglob(f"*{sha256[4:]}") if path.is_file())
    return found


def test_what_is_there_is_not_lost(store: Store, tmp_path: Path) -> None:
    ledger = Ledger("faults")
    kept(store, b"one", ledger)
    kept(store, b"two", ledger, corrected=True)
    assert audited(tmp_path, ledger, VERSIONS) == Audit(2, [], [], [], [])


def test_a_clip_is_lost_without_row_bytes_or_receipt(store: Store, tmp_path: Path) -> None:
    ledger = Ledger("faults")
    gone, damaged, receipt = (kept(store, raw, ledger) for raw in (b"one", b"two", b"three"))
    kept(store, b"four", ledger, corrected=True)
    store.clips.forget("faults", gone, who="admin")
    blob(tmp_path, damaged).write_bytes(b"other bytes")
    ledger.kept[receipt] = "000000000000"
    assert set(audited(tmp_path, ledger, VERSIONS).lost) == {gone, damaged, receipt}


def test_a_recording_is_lost_that_is_not_analysed_and_does_not_wait_for_it(
    store: Store, tmp_path: Path
) -> None:
    ledger = Ledger("faults")
    uploads = [store.uploads.begin("faults", 3, who="admin") for _ in range(4)]
    for upload in uploads:
        store.uploads.append(upload.id, 0, io.BytesIO(b"abc"), 3)
        store.jobs.add(Job(upload.id, "faults", "admin", "", {}, now()))
        ledger.jobs.append(upload.id)
    done, failed, waits, robbed = uploads
    for upload, said in (
        (done, {"result": {"events": []}}),
        (failed, {"problem": {"status": 500}}),
    ):
        held = store.jobs.claim("faults")
        assert held is not None
        assert held.id == upload.id
        store.jobs.end(held, **said)
    store.uploads.delete(robbed.id)
    assert store.jobs.get(waits.id).state == "queued"
    ledger.jobs.append("never heard of")
    found = audited(tmp_path, ledger, VERSIONS)
    assert set(found.lost_jobs) == {failed.id, robbed.id, "never heard of"}
    assert any("3 recordings are lost" in words for words in broken("", [], found))


def test_a_clip_that_was_never_sent_is_a_strangers(store: Store, tmp_path: Path) -> None:
    ledger = Ledger("faults")
    kept(store, b"ours", ledger)
    sha256 = kept(store, b"theirs", Ledger("faults"))
    assert audited(tmp_path, ledger, VERSIONS).foreign == [sha256]


def test_an_answer_of_a_version_that_is_not_here_is_strange(store: Store, tmp_path: Path) -> None:
    ledger = Ledger("faults")
    for answer in (("1", "aa"), ("shipped", "aa"), ("2", "aa"), ("shipped", "cc"), ("3", "bb")):
        ledger.versions[answer] += 1
    found = audited(tmp_path, ledger, VERSIONS).strange_versions
    assert found == [
        "version 2 with digest aa",
        "version shipped with digest cc",
        "version 3 with digest bb",
    ]
    assert audited(tmp_path, ledger, {}).strange_versions == []
