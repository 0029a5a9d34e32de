"""uploads.py, exam_guard.py: what may be learnt from, and what is said of the rest."""

from datetime import UTC, datetime

import pytest

from data.datasets.dataset import Kept
from data.datasets.split import Exam
from data.domains.domain import Domain, load_domains
from data.errors import InvalidParameter, UnknownName
from data.store.clips.clip_rows import Clip
from support.inputs.sounds import tone
from training.screening.clip_embedder import ClipEmbedder
from training.screening.exam_guard import ExamGuard, examined_clips
from training.screening.uploads import screen


@pytest.fixture
def domain() -> Domain:
    return load_domains(names=("faults",))["faults"]


def clip(name: str, label: str = "fluid", group: str | None = None) -> Clip:
    moment = datetime.now(UTC)
    digest = name.encode().hex().ljust(64, "0")
    return Clip(
        "faults", digest, label, group, "accepted", "", "anna", "upload", 9, 1.0, 16000, moment
    )


def read(one: Kept) -> bytes:
    if one.sha256.startswith(b"lost".hex()):
        raise UnknownName("there is no clip")
    return tone() if one.sha256.startswith(b"good".hex()) else b"no recording"


def test_each_clip_that_is_left_out_has_its_reason(domain: Domain) -> None:
    exam = clip("exam")
    sibling = clip("good sibling", group="pump 7")
    listed = [clip("good"), clip("bad"), exam, clip("old", "squeak"), clip("lost"), sibling]
    unseen = Exam(frozenset({exam.sha256}), frozenset({"pump 7"}))
    found = screen(listed, ClipEmbedder(read, domain, None, {}, ExamGuard(domain, unseen)))
    assert [one.sha256 for one in found.clips] == [listed[0].sha256]
    reasons = [(refusal.reason, refusal.for_good) for refusal in found.refused]
    assert len(reasons) == 5
    assert "clip of the exam" in reasons[1][0]
    assert "no label 'squeak'" in reasons[2][0]
    assert [for_good for _, for_good in reasons] == [True, True, True, False, True]
    assert reasons[4][0].startswith("its group 'pump 7' is in the exam")


def test_only_a_full_retrain_needs_the_data_set(domain: Domain) -> None:
    assert examined_clips(domain, None, "teach") == ()
    with pytest.raises(InvalidParameter, match="TELLTALE_DATASETS"):
        examined_clips(domain, None, "full")
