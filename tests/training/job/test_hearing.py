"""hearing.py: no clip is heard twice, and no copy of an exam clip is learnt from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from data.store.clip_rows import NewClip
from support.sounds import bursts, wav
from support.teaching import School, school
from support.tiny import examined_bundle
from training.job.inputs import gather
from training.job.run import Material


@pytest.fixture
def taught(tmp_path: Path) -> Iterator[School]:
    """Its champion's exam has bursts of seed 1."""
    with school(tmp_path) as found:
        bundle = examined_bundle(tmp_path / "examined", found.domain, wav(bursts(1), 8000))
        version = found.registry.register(bundle, run_id=None, tags={})
        found.registry.promote(found.domain.name, version.number)
        yield found


def send(school: School, raw: bytes, label: str = "two") -> str:
    new = NewClip(raw, school.domain.name, label, None, "accepted", "test", 1.0, 8000)
    return school.store.clips.add(new, who="ann")[0].sha256


def gathered(school: School, name: str) -> Material:
    return gather(school.order(name), "teach")


def test_a_copy_of_an_exam_clip_is_refused(taught: School) -> None:
    copy, other = send(taught, wav(bursts(1)[400:] / 2, 8000)), send(taught, wav(bursts(2), 8000))
    uploads = gathered(taught, "one").uploads
    assert [clip.sha256 for clip in uploads.clips] == [other]
    (refusal,) = uploads.refused
    assert (refusal.sha256, "cannot be told from a clip of the exam" in refusal.reason) == (
        copy,
        True,
    )
    assert taught.store.clips.get(taught.domain.name, copy).state == "rejected"


def test_a_clip_is_heard_once_whatever_became_of_the_run(
    taught: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = send(taught, wav(bursts(2), 8000))
    before = gathered(taught, "one").uploads
    run = taught.order("two")
    monkeypatch.setattr(run.store.clips, "read", lambda sha256: pytest.fail("heard again"))
    after = gather(run, "teach").uploads
    assert [one.sha256 for one in after.clips] == [clip]
    assert abs(after.values - before.values).max() < 1e-2  # kept as float16
    assert after.fingerprints == before.fingerprints


def test_doubts_of_what_is_new_wait_for_review(taught: School) -> None:
    first = send(taught, wav(bursts(2), 8000), "two")
    gathered(taught, "one")
    assert taught.store.flags.find(taught.domain.name) == []
    same, other = (
        send(taught, wav(bursts(2) / 2, 8000), "two"),
        send(taught, wav(bursts(2) / 3, 8000), "three"),
    )
    assert len(gathered(taught, "two").uploads.clips) == 3
    found = {(flag.sha256, flag.kind) for flag in taught.store.flags.find(taught.domain.name)}
    assert {(same, "copy"), (other, "label_conflict")} <= found
    assert first not in {sha256 for sha256, _ in found}
