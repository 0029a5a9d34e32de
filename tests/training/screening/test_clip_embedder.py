"""clip_embedder.py, clip_copies.py: no clip is heard or compared twice, and no copy of an exam clip
is learnt from."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from data.quality import near_copies
from data.store.clips.clip_rows import NewClip
from support.inputs.sounds import bursts, wav
from support.inputs.toy_dataset import toy_dataset
from support.teaching import School, school
from support.tiny import examined_bundle, fresh_registry
from training.job.inputs import gather
from training.job.run import Material, RetrainRun
from training.screening.review_flags import backbone_of


@pytest.fixture
def taught(tmp_path: Path) -> Iterator[School]:
    """Its champion's exam has bursts of seed 1."""
    with school(tmp_path) as found:
        bundle = examined_bundle(tmp_path / "examined", found.domain, wav(bursts(1), 8000))
        version = found.registry.register(bundle, run_id=None, tags={})
        found.registry.promote(found.domain.name, version.number)
        yield found


def send(school: School, raw: bytes, label: str = "two", group: str | None = None) -> str:
    new = NewClip(raw, school.domain.name, label, group, "accepted", "test", 1.0, 8000)
    return school.store.clips.add(new, who="ann")[0].sha256


def gathered(school: School, name: str) -> Material:
    return gather(school.order(name), "teach")


def logged(run: RetrainRun) -> tuple[RetrainRun, list[str]]:
    lines: list[str] = []
    run.progress.say = lines.append
    return run, lines


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
    assert [one.fingerprint for one in after.features] == [
        one.fingerprint for one in before.features
    ]


def test_what_is_flagged_of_new_clips_waits_for_review(taught: School) -> None:
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


def test_a_pair_is_compared_once_and_also_found_when_one_of_it_did_not_count_meanwhile(
    taught: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = send(taught, wav(bursts(2), 8000))
    gathered(taught, "one")
    name, clips = taught.domain.name, taught.store.clips
    clips.set_state(name, one, "quarantined", who="ann")
    copy, other = send(taught, wav(bursts(2) / 2, 8000)), send(taught, wav(bursts(3), 8000))
    assert gathered(taught, "two").uploads.copies == ()
    clips.set_state(name, one, "accepted", who="ann")
    monkeypatch.setattr(near_copies, "likeness", lambda *_: pytest.fail("compared again"))
    uploads = gathered(taught, "three").uploads
    (pair,) = uploads.copies
    found = {uploads.clips[place].sha256 for place in (pair.first, pair.second)}
    assert found == {one, copy}
    assert {one, copy, other} == {clip.sha256 for clip in uploads.clips}


def test_a_clip_from_before_there_were_fingerprints_is_compared_when_it_is_met_again(
    taught: School,
) -> None:
    name, champion = taught.domain.name, gathered(taught, "none").champion
    assert champion is not None
    copy, one = send(taught, wav(bursts(1) / 2, 8000)), send(taught, wav(bursts(2), 8000))
    kept = {
        clip: replace(found, fingerprint=None, exam=None, copies=None)
        for clip, found in zip(
            (copy, one), gathered(taught, "features").uploads.features * 2, strict=True
        )
    }
    taught.store.clips.set_state(name, copy, "accepted", who="ann")
    taught.store.features.put(name, backbone_of(champion), kept)
    again = send(taught, wav(bursts(2) / 3, 8000))
    uploads = gathered(taught, "two").uploads
    assert [refusal.sha256 for refusal in uploads.refused] == [copy]
    assert {clip.sha256 for clip in uploads.clips} == {one, again}
    assert len(uploads.copies) == 1


def test_what_an_old_bundle_cannot_tell_is_said_and_looked_at_once_it_can(
    tmp_path: Path,
) -> None:
    with school(tmp_path) as old:
        copy = send(old, wav(bursts(1) / 2, 8000))
        run, lines = logged(old.order("one"))
        assert [clip.sha256 for clip in gather(run, "teach").uploads.clips] == [copy]
        (said,) = [line for line in lines if "is a copy of one of the exam" in line]
        assert "telltale fingerprint keywords" in said
        bundle = examined_bundle(tmp_path / "mended", old.domain, wav(bursts(1), 8000))
        old.registry.promote("keywords", old.registry.register(bundle, run_id=None, tags={}).number)
        run, lines = logged(old.order("two"))
        assert [refusal.sha256 for refusal in gather(run, "teach").uploads.refused] == [copy]
        assert not [line for line in lines if "is a copy of one of the exam" in line]


def test_the_first_full_training_refuses_copies_of_its_exam_without_a_champion(
    tmp_path: Path,
) -> None:
    with school(tmp_path / "home") as new:
        dataset = toy_dataset(tmp_path / "datasets", new.domain)
        examined = dataset / new.domain.source.dataset / "two_9.wav"
        examined.write_bytes(wav(bursts(1), 8000))
        copy, other = send(new, wav(bursts(1) / 2, 8000)), send(new, wav(bursts(2), 8000))
        nothing = fresh_registry(tmp_path / "nothing")
        run, lines = logged(replace(new.order("one"), registry=nothing, dataset=dataset))
        material = gather(run, "full")
        assert material.champion is None
        assert [refusal.sha256 for refusal in material.uploads.refused] == [copy]
        assert [clip.sha256 for clip in material.uploads.clips] == [other]
        assert not [line for line in lines if "not checked" in line]


def test_a_teach_leaves_out_what_shares_a_group_with_the_exam_or_says_that_nobody_knows(
    taught: School, tmp_path: Path
) -> None:
    clip = send(taught, wav(bursts(2), 8000), group="two:9")
    run, lines = logged(taught.order("one"))
    assert len(gather(run, "teach").uploads.clips) == 1
    assert [line for line in lines if "whether a clip's group is one of the exam's" in line]
    dataset = toy_dataset(tmp_path / "datasets", taught.domain)
    run, lines = logged(replace(taught.order("two"), dataset=dataset))
    (refusal,) = gather(run, "teach").uploads.refused
    assert (refusal.sha256, "its group 'two:9' is in the exam" in refusal.reason) == (clip, True)
    assert any(refusal.reason in line for line in lines)
    assert taught.store.clips.get(taught.domain.name, clip).state == "rejected"
