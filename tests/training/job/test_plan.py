"""plan.py: what people sent of one thing never both teaches and validates."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from data.datasets.dataset import LabelledClip
from data.domains.domain import load_domains
from data.quality.copy_pairs import CopyPair
from data.store.clips.clip_rows import Clip
from support.inputs.toy_dataset import toy_dataset, toy_domain
from training.job.plan import plan_full
from training.screening.uploads import Uploads

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def sent(number: int, who: str, hour: float) -> Clip:
    at = NOON + timedelta(hours=hour)
    digest = f"{number:064}"
    return Clip("faults", digest, "fluid", None, "accepted", "", who, "upload", 9, 1.0, 16000, at)


def uploads(clips: list[Clip], copies: tuple[CopyPair, ...] = ()) -> Uploads:
    values, labels = np.zeros((len(clips), 1, 4), np.float32), np.zeros((len(clips), 1), np.int64)
    learnt = tuple(
        LabelledClip(clip.sha256, "fluid", clip.sha256, "upload:fluid", None) for clip in clips
    )
    return Uploads(learnt, values, labels, (), copies=copies, sent=tuple(clips))


def test_takes_of_one_afternoon_and_copies_of_a_clip_are_on_one_side_of_the_split(
    tmp_path: Path,
) -> None:
    domain = toy_domain(load_domains(names=("faults",))["faults"], epochs=1)
    dataset = toy_dataset(tmp_path, domain)
    takes = [sent(number, f"ann{number // 4}", number / 100) for number in range(40)]
    apart = [sent(40 + number, f"ben{number}", 5.0 * number) for number in range(20)]
    copies = tuple(CopyPair(place, place + 1, 0.99) for place in range(40, 60, 2))
    plan = plan_full(domain, dataset, uploads([*takes, *apart], copies))
    side = {clip.sha256: bool(held) for clip, held in zip(plan.clips, plan.held_out, strict=True)}
    together = [takes[place : place + 4] for place in range(0, 40, 4)]
    together += [apart[place : place + 2] for place in range(0, 20, 2)]
    sides = [{side[clip.sha256] for clip in one} for one in together]
    assert all(len(one) == 1 for one in sides)
    assert {True} in sides
